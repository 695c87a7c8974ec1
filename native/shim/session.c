#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "console.h"
#include "log-file.h"
#include "pipes.h"
#include "text.h"

/* What a survivor outside the pid namespace may still pour out while we drain after the exit. */
#define DRAIN_LIMIT (16 << 20)
/* How often one stream is read before others get their turn. */
#define READS_IN_A_ROW 8
/* A stream that fills what is read at once gets a pipe that both sides may work on for longer. */
#define FLOOD_PIPE (1 << 20)

#define OWNER(source, member) ((struct session *)((char *)(source) - offsetof(struct session, member)))

struct session *session_create(uint16_t id) {
  struct session *session = calloc(1, sizeof *session);
  if (!session) return NULL;
  session->id = id;
  session->in.fd = session->out.fd = session->err.fd = session->console.fd = -1;
  session->next = shim.sessions;
  shim.sessions = session;
  if (id == 0)
    snprintf(session->base, sizeof session->base, "%s/runtime", shim.options.bundle);
  else
    snprintf(session->base, sizeof session->base, "%s/exec-%u", shim.options.bundle, id);
  return session;
}

struct session *session_find(uint16_t id) {
  struct session *session = shim.sessions;
  while (session && session->id != id) session = session->next;
  return session;
}

uint16_t session_free_id(void) {
  static uint16_t last;
  do last++;
  while (last == 0 || session_find(last));
  return last;
}

/* Hands out one read's worth of output. */
static void deliver(struct session *session, int stream, const uint8_t *data, size_t size) {
  if (session->id == 0) log_write(stream, data, size);
  clients_output(session, stream, data, size);
}

/* Reads until there is nothing more for now or `limit` is reached; returns 0 when the stream ended. */
static int take_output(struct session *session, struct source *source, int stream, size_t limit) {
  size_t taken = 0;
  while (taken < limit) {
    if (session->id == 0 && limit != DRAIN_LIMIT && log_is_held()) {
      loop_set(source, 0);
      shim.held_output = 1;
      return 1;
    }
    ssize_t n = read(source->fd, scratch, sizeof scratch);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return 1;
    /* A terminal answers EIO when its last user is gone. */
    if (n <= 0) return 0;
    deliver(session, stream, scratch, (size_t)n);
    taken += (size_t)n;
    if ((size_t)n == sizeof scratch && !session->terminal && !(session->widened & (1 << stream))) {
      session->widened |= 1 << stream;
      fcntl(source->fd, F_SETPIPE_SZ, FLOOD_PIPE);
    }
    if ((size_t)n < sizeof scratch && limit != DRAIN_LIMIT && !session->terminal) return 1;
  }
  return 1;
}

static void end_output(struct session *session, struct source *source, int stream) {
  if (session->terminal && session->phase == PHASE_RUNNING) {
    /* Nobody has the terminal open now, but a process may open it again (an init that starts a login): look once in a while. */
    loop_set(source, 0);
    shim.idle_terminals = 1;
    return;
  }
  loop_close(source);
  if (session->id == 0) log_end(stream);
  shim.sweep = 1;
}

static void on_out(struct source *source, uint32_t events) {
  struct session *session = OWNER(source, out);
  if (session->terminal && (events & EPOLLOUT)) session_stdin_flush(session);
  if (!(events & ~(uint32_t)EPOLLOUT)) return;
  if (!take_output(session, source, 0, READS_IN_A_ROW * sizeof scratch)) end_output(session, source, 0);
}

static void on_err(struct source *source, uint32_t events) {
  (void)events;
  struct session *session = OWNER(source, err);
  if (!take_output(session, source, 1, READS_IN_A_ROW * sizeof scratch)) end_output(session, source, 1);
}

static void on_in(struct source *source, uint32_t events) {
  (void)events;
  session_stdin_flush(OWNER(source, in));
}

static void on_console(struct source *source, uint32_t events) {
  (void)events;
  session_accept_console(OWNER(source, console));
}

int session_open_stdio(struct session *session, int open_stdin, int child[3]) {
  child[0] = child[1] = child[2] = -1;
  session->in.handle = on_in;
  session->out.handle = on_out;
  session->err.handle = on_err;
  session->console.handle = on_console;
  if (session->terminal) {
    char path[256];
    session_console_path(session, path, sizeof path);
    session->console.fd = console_listen(path);
    if (session->console.fd < 0) return -1;
    loop_set(&session->console, EPOLLIN);
    return pipe_open_unused(child, 1);
  }
  int ends[2];
  if (open_stdin) {
    if (pipe_open(ends, 1) < 0) return -1;
    child[0] = ends[0];
    session->in.fd = ends[1];
  } else {
    session->stdin_closed = 1;
    if (pipe_open_unused(child, 0) < 0) return -1;
  }
  if (pipe_open(ends, 0) < 0) return -1;
  session->out.fd = ends[0];
  child[1] = ends[1];
  if (pipe_open(ends, 0) < 0) return -1;
  session->err.fd = ends[0];
  child[2] = ends[1];
  return 0;
}

void session_console_path(const struct session *session, char *to, size_t size) {
  snprintf(to, size, "%s.%u", shim.options.socket_path, session->id);
}

void session_accept_console(struct session *session) {
  if (session->console.fd < 0) return;
  int master = console_receive(session->console.fd);
  if (master < 0) return;
  char path[256];
  session_console_path(session, path, sizeof path);
  unlink(path);
  loop_close(&session->console);
  fcntl(master, F_SETFL, O_NONBLOCK);
  session->out.fd = master;
  if (session->rows || session->columns) session_resize(session, session->rows, session->columns);
  clients_stdin_ready(session);
}

void session_begin(struct session *session) {
  session->phase = PHASE_RUNNING;
  session_accept_console(session);
  loop_set(&session->out, EPOLLIN);
  loop_set(&session->err, EPOLLIN);
}

void session_close_stdio(struct session *session) {
  if (session->console.fd >= 0) {
    char path[256];
    session_console_path(session, path, sizeof path);
    unlink(path);
  }
  loop_close(&session->console);
  loop_close(&session->in);
  loop_close(&session->out);
  loop_close(&session->err);
  if (session->pending) munmap(session->pending, MAX_PAYLOAD);
  session->pending = NULL;
  session->stdin_closed = 1;
}

void session_exited(struct session *session, int status) {
  session->phase = PHASE_EXITED;
  session->exit_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  session->exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  struct source *sources[2] = {&session->out, &session->err};
  for (int stream = 0; stream < 2; stream++) {
    struct source *source = sources[stream];
    if (source->fd < 0) continue;
    int more = take_output(session, source, stream, DRAIN_LIMIT);
    /*
     * What an exec'd process left in the background may still hold its pipes: they stay open and are read to nowhere,
     * so that it does not die of SIGPIPE. With the container's own process the whole pid namespace is gone.
     */
    if (!more || session->id == 0 || session->terminal) end_output(session, source, stream);
  }
  if (session->id == 0) session_close_stdio(session);
  loop_close(&session->in);
  session->stdin_closed = 1;
}

void sessions_wake_terminals(void) {
  shim.idle_terminals = 0;
  for (struct session *session = shim.sessions; session; session = session->next)
    if (session->terminal && session->phase == PHASE_RUNNING && session->out.events == 0) loop_set(&session->out, EPOLLIN);
}

void sessions_release_output(void) {
  shim.held_output = 0;
  struct session *session = session_find(0);
  if (!session || session->phase != PHASE_RUNNING) return;
  loop_set(&session->out, session->out.events | EPOLLIN);
  loop_set(&session->err, session->err.events | EPOLLIN);
}

void sessions_sweep(void) {
  struct session *next;
  for (struct session *session = shim.sessions; session; session = next) {
    next = session->next;
    int over = session->phase == PHASE_EXITED || session->phase == PHASE_FAILED;
    if (session->id != 0 && over && session->out.fd < 0 && session->err.fd < 0) session_destroy(session);
  }
}

void session_destroy(struct session *session) {
  session_close_stdio(session);
  struct session **at = &shim.sessions;
  while (*at != session) at = &(*at)->next;
  *at = session->next;
  free(session);
}

void session_resize(struct session *session, uint16_t rows, uint16_t columns) {
  session->rows = rows;
  session->columns = columns;
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  if (session->terminal && session->out.fd >= 0) ioctl(session->out.fd, TIOCSWINSZ, &size);
}
