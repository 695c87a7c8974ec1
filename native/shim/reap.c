#define _GNU_SOURCE
#include "reap.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "runtime.h"
#include "state.h"
#include "text.h"

static struct source children = {.fd = -1};

static void process_ended(struct session *session, int status) {
  if (session->id == 0) shim.exited_at_ns = now_ns();
  session_exited(session, status);
  if (session->id != 0) {
    clients_session_ended(session);
    return;
  }
  shim.exit_code = session->exit_code;
  shim.exit_signal = session->exit_signal;
  shim.phase = PHASE_EXITED;
  /* On disk before anybody hears of it. */
  state_exit(session);
  clients_session_ended(session);
  clients_state();
}

/* Runtimes that ended: only after them is it known which child is whose. */
static int reap_runtimes(void) {
  int pending = 0, status;
  for (struct session *session = shim.sessions; session; session = session->next) {
    if (!session->runtime_pid) continue;
    if (waitpid(session->runtime_pid, &status, WNOHANG) == session->runtime_pid)
      runtime_ended(session, status);
    else
      pending = 1;
  }
  return pending;
}

static void reap_known(void) {
  struct session *next;
  int status;
  for (struct session *session = shim.sessions; session; session = next) {
    next = session->next;
    if (session->phase != PHASE_RUNNING || session->pid <= 0) continue;
    if (waitpid(session->pid, &status, WNOHANG) == session->pid) process_ended(session, status);
  }
}

static void on_children(struct source *source, uint32_t events) {
  (void)events;
  struct signalfd_siginfo info[8];
  while (read(source->fd, info, sizeof info) == sizeof info) {
  }
  int pending = reap_runtimes();
  reap_known();
  if (pending) return;
  /* Orphans. What looks like one while a runtime is at work may be the process it is about to name. */
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    for (struct session *session = shim.sessions; session; session = session->next)
      if (session->pid == pid && session->phase == PHASE_RUNNING) {
        process_ended(session, status);
        break;
      }
  }
}

int reap_init(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  if (sigprocmask(SIG_SETMASK, &mask, NULL) < 0) return -1;
  children.fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  if (children.fd < 0) return -1;
  children.handle = on_children;
  loop_set(&children, EPOLLIN);
  return 0;
}
