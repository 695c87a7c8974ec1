/* One process of the container with its stdio: the container's own (id 0) or an exec'd one. */
#ifndef SHIM_SESSION_H
#define SHIM_SESSION_H

#include <stdint.h>
#include <sys/types.h>

#include "loop.h"
#include "shim.h"

struct session {
  struct session *next;
  uint16_t id;
  pid_t runtime_pid; /* the OCI runtime while it starts the process; 0 after */
  pid_t pid;
  uint64_t ticks;
  enum phase phase;
  int exit_code, exit_signal;
  int terminal;
  int close_stdin; /* when an attached client's stdin ends */
  int stdin_closed;
  uint16_t rows, columns;
  int widened; /* streams (bits 1 and 2) whose pipe was made longer */
  struct source in; /* write end of stdin; unused with a terminal */
  struct source out, err; /* with a terminal `out` is its master, for both directions */
  struct source console; /* listens for the terminal until it came */
  uint8_t *pending; /* stdin that the process has not taken yet; mapped only while there is some */
  size_t pending_begin, pending_end;
  char base[256]; /* prefix of this process' own files: BUNDLE/runtime or BUNDLE/exec-N */
};

struct session *session_create(uint16_t id);
struct session *session_find(uint16_t id);
uint16_t session_free_id(void);
/* Makes pipes or the console socket; `child` gets the descriptors for 0, 1 and 2 of the runtime. 0 or -1 with errno. */
int session_open_stdio(struct session *session, int open_stdin, int child[3]);
/* The process runs: its output is read from now on. */
void session_begin(struct session *session);
/* The process is gone and reaped: takes what is left of its output. */
void session_exited(struct session *session, int status);
/* Ends the stdio of a process that never ran. */
void session_close_stdio(struct session *session);
void session_destroy(struct session *session);
/* Frees exec'd processes that are gone with all their output. */
void sessions_sweep(void);
/* Looks again at terminals that nobody had open. */
void sessions_wake_terminals(void);
/* The log takes output again. */
void sessions_release_output(void);

/* Whether stdin can take bytes now. A closed stdin takes and drops everything. */
int session_stdin_ready(const struct session *session);
/* Takes all of it; at most MAX_PAYLOAD, only when ready. */
void session_stdin_write(struct session *session, const uint8_t *data, size_t size);
/* The process takes bytes again, or will never. */
void session_stdin_flush(struct session *session);
/* A client's stdin ended; with close_stdin that ends the process' stdin after what waits. */
void session_stdin_end(struct session *session);
void session_resize(struct session *session, uint16_t rows, uint16_t columns);
/* The terminal's master came over the console socket, if it is still awaited. */
void session_accept_console(struct session *session);
void session_console_path(const struct session *session, char *to, size_t size);

#endif
