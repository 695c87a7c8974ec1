#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "protocol.h"

static uint8_t parse_streams(const char *text) {
  uint8_t bits = 0;
  for (; *text; text++) {
    if (*text == 'i') bits |= STREAM_STDIN;
    if (*text == 'o') bits |= STREAM_STDOUT;
    if (*text == 'e') bits |= STREAM_STDERR;
  }
  return bits;
}

static const char *take(struct options *to, const char *name, const char *value) {
  struct {
    const char *name;
    const char **to;
  } texts[] = {
      {"--id", &to->id},
      {"--bundle", &to->bundle},
      {"--runtime", &to->runtime_path},
      {"--runtime-root", &to->runtime_root},
      {"--exec-preload", &to->exec_preload},
      {"--log", &to->log_path},
      {"--log-attributes", &to->log_attributes},
      {"--log-cursor", &to->log_cursor},
      {"--restore", &to->restore_path},
      {"--exit-record", &to->exit_path},
      {"--socket", &to->socket_path},
      {"--spill-dir", &to->spill_dir},
  };
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (strcmp(name, texts[i].name) == 0) {
      *texts[i].to = value;
      return NULL;
    }
  }
  if (strcmp(name, "--runtime-arg") == 0) {
    if (to->runtime_arg_count == MAX_RUNTIME_ARGS) return "too many --runtime-arg";
    to->runtime_args[to->runtime_arg_count++] = value;
  } else if (strcmp(name, "--cgroup") == 0) {
    if (to->cgroup_count == MAX_CGROUPS) return "too many --cgroup";
    to->cgroups[to->cgroup_count++] = value;
  } else if (strcmp(name, "--attach") == 0) {
    if (to->initial_count == MAX_INITIAL) return "too many --attach";
    to->initial[to->initial_count++] = parse_streams(value);
  } else if (strcmp(name, "--log-max-size") == 0) {
    to->log_max_size = atoll(value);
  } else if (strcmp(name, "--log-max-file") == 0) {
    to->log_max_file = atoi(value);
  } else if (strcmp(name, "--log-keep-bytes") == 0) {
    to->log_keep_bytes = atoi(value);
  } else if (strcmp(name, "--log-unsent-max") == 0) {
    to->log_unsent_max = atoll(value);
  } else if (strcmp(name, "--spill-max") == 0) {
    to->spill_max = atoll(value);
  } else if (strcmp(name, "--terminal") == 0) {
    to->terminal = atoi(value);
  } else if (strcmp(name, "--open-stdin") == 0) {
    to->open_stdin = atoi(value);
  } else if (strcmp(name, "--stdin-once") == 0) {
    to->stdin_once = atoi(value);
  } else if (strcmp(name, "--rows") == 0) {
    to->rows = (uint16_t)atoi(value);
  } else if (strcmp(name, "--columns") == 0) {
    to->columns = (uint16_t)atoi(value);
  } else if (strcmp(name, "--root-uid") == 0) {
    to->root_uid = (uint32_t)strtoul(value, NULL, 10);
  } else if (strcmp(name, "--root-gid") == 0) {
    to->root_gid = (uint32_t)strtoul(value, NULL, 10);
  } else if (strcmp(name, "--control") == 0) {
    to->control = atoi(value);
  } else {
    return "unknown option";
  }
  return NULL;
}

const char *options_parse(struct options *to, int argc, char **argv) {
  memset(to, 0, sizeof *to);
  to->log_max_file = 1;
  to->spill_max = (int64_t)1 << 30;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 >= argc) return "an option has no value";
    const char *wrong = take(to, argv[i], argv[i + 1]);
    if (wrong) return wrong;
  }
  if (!to->id || !to->bundle || !to->runtime_path || !to->exit_path || !to->socket_path) return "an option is missing";
  if (strlen(to->bundle) > 200) return "the path of the bundle is too long";
  if (!to->spill_dir) to->spill_dir = to->bundle;
  return NULL;
}
