/* The way into a process: what it does not take yet waits here, and holds back the client that sent it. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client.h"
#include "session.h"

int session_stdin_ready(const struct session *session) {
  if (session->stdin_closed) return 1;
  if (session->pending) return 0;
  return session->terminal ? session->out.fd >= 0 : session->in.fd >= 0;
}

static struct source *stdin_source(struct session *session) {
  return session->terminal ? &session->out : &session->in;
}

/* Writes what fits; returns how much, or -1 when nobody reads any more. */
static ssize_t write_stdin(struct session *session, const uint8_t *data, size_t size) {
  size_t done = 0;
  while (done < size) {
    ssize_t n = write(stdin_source(session)->fd, data + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n <= 0) return -1;
    done += (size_t)n;
  }
  return (ssize_t)done;
}

static void close_stdin(struct session *session) {
  session->stdin_closed = 1;
  if (!session->terminal) loop_close(&session->in);
}

void session_stdin_write(struct session *session, const uint8_t *data, size_t size) {
  if (session->stdin_closed || stdin_source(session)->fd < 0) return;
  ssize_t done = write_stdin(session, data, size);
  if (done < 0) {
    close_stdin(session);
    return;
  }
  if ((size_t)done == size) return;
  void *mapped = mmap(NULL, MAX_PAYLOAD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return;
  session->pending = mapped;
  session->pending_begin = 0;
  session->pending_end = size - (size_t)done;
  memcpy(session->pending, data + done, session->pending_end);
  struct source *source = stdin_source(session);
  loop_set(source, source->events | EPOLLOUT);
}

void session_stdin_flush(struct session *session) {
  struct source *source = stdin_source(session);
  if (session->pending) {
    size_t left = session->pending_end - session->pending_begin;
    ssize_t done = write_stdin(session, session->pending + session->pending_begin, left);
    session->pending_begin += done > 0 ? (size_t)done : 0;
    if (done >= 0 && (size_t)done < left) return;
    munmap(session->pending, MAX_PAYLOAD);
    session->pending = NULL;
    if (done < 0) session->close_stdin = 2;
  }
  loop_set(source, source->events & ~(uint32_t)EPOLLOUT);
  if (session->close_stdin == 2) close_stdin(session);
  clients_stdin_ready(session);
}

void session_stdin_end(struct session *session) {
  if (!session->close_stdin || session->terminal || session->stdin_closed) return;
  if (session->pending)
    session->close_stdin = 2; /* after what waits */
  else
    close_stdin(session);
}
