/* What the daemon asks for, from the command line. */
#ifndef SHIM_OPTIONS_H
#define SHIM_OPTIONS_H

#include <stdint.h>

#define MAX_INITIAL 64
#define MAX_CGROUPS 24
#define MAX_RUNTIME_ARGS 16

struct options {
  const char *id;
  const char *bundle;
  const char *runtime_path;
  const char *runtime_root;
  const char *runtime_args[MAX_RUNTIME_ARGS];
  int runtime_arg_count;
  const char *exec_preload; /* a library that sets the size of an exec's terminal from within the runtime; NULL for a runtime that is in time itself */
  const char *log_path; /* NULL writes none */
  const char *log_attributes; /* a JSON object for every log line, or NULL */
  int64_t log_max_size; /* bytes, 0 for unlimited */
  int log_max_file;
  int log_keep_bytes; /* bytes that are no UTF-8 can be read back */
  const char *log_cursor; /* how far the daemon has sent the log on; NULL when nobody does. With it the daemon alone deletes files */
  int64_t log_unsent_max; /* bytes that may wait to be sent on */
  const char *restore_path; /* images of a checkpoint that the container goes on from; NULL starts it anew */
  const char *exit_path;
  const char *socket_path;
  const char *spill_dir;
  int64_t spill_max;
  const char *cgroups[MAX_CGROUPS];
  int cgroup_count;
  int terminal;
  int open_stdin;
  int stdin_once;
  uint16_t rows, columns;
  /* Root of the container's user namespace as the host counts it; 0 with the host's own. */
  uint32_t root_uid, root_gid;
  /* Stream bits of each attachment that is already connected; descriptors 4, 5, ... in this order. 3 is the daemon's. */
  uint8_t initial[MAX_INITIAL];
  int initial_count;
  int control; /* whether descriptor 3 is a control client */
};

/* Fills `to`; returns NULL, or what is wrong. */
const char *options_parse(struct options *to, int argc, char **argv);

#endif
