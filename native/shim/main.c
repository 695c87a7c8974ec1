/*
 * slipway-shim: lives as long as its container, whatever becomes of the daemon. Starts the OCI runtime, holds stdio or terminal,
 * writes the log, serves attachers, reaps, and records the exit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client.h"
#include "log-file.h"
#include "namespaces.h"
#include "reap.h"
#include "runtime.h"
#include "shim.h"
#include "state.h"
#include "text.h"

#define FIRST_FD 3
#define RETRY_RECORD_MS 1000
#define IDLE_TERMINAL_MS 500

struct shim shim;
uint8_t scratch[MAX_PAYLOAD];

static void settle_process(void) {
  static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) sigaction(ignored[i], &ignore, NULL);
  setsid(); /* fails when the daemon made the session already */
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  umask(0027);
  /* A working directory would pin somebody's mount. */
  if (chdir("/") < 0) _exit(125);
  write_small("/proc/self/oom_score_adj", "-999", 4);
  int clients = shim.options.control + shim.options.initial_count;
  for (int fd = FIRST_FD; fd < FIRST_FD + clients; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  syscall(SYS_close_range, FIRST_FD + clients, ~0u, 0);
}

static void take_initial_clients(void) {
  int fd = FIRST_FD;
  if (shim.options.control) client_create(fd++, ROLE_CONTROL, 0);
  for (int i = 0; i < shim.options.initial_count; i++) client_create(fd++, ROLE_ATTACH, shim.options.initial[i]);
}

/* Whether the daemon that asked for this start is gone already: then nobody would know of the container. */
static int daemon_is_gone(void) {
  if (!shim.options.control) return 0;
  struct pollfd daemon = {.fd = FIRST_FD, .events = POLLIN};
  return poll(&daemon, 1, 0) > 0 && (daemon.revents & (POLLHUP | POLLERR));
}

static void fail_start(struct session *session, const char *what) {
  char text[PATH_SIZE + 256];
  int size = snprintf(text, sizeof text, "{\"msg\":\"%s: %s\",\"level\":\"error\"}\n", what, strerror(errno));
  shim.phase = session->phase = PHASE_FAILED;
  clients_failed(session, -1, text, (size_t)size);
}

static void start(void) {
  struct session *session = session_create(0);
  if (!session) _exit(125);
  session->terminal = shim.options.terminal;
  session->close_stdin = shim.options.stdin_once;
  session->rows = shim.options.rows;
  session->columns = shim.options.columns;
  take_initial_clients();
  if (server_listen(shim.options.socket_path) < 0) {
    fail_start(session, "shim socket");
    return;
  }
  /* After the socket exists: a new daemon either finds it, or this one was seen to be gone. */
  if (daemon_is_gone()) {
    server_close();
    _exit(0);
  }
  if (log_open() < 0) {
    static char what[PATH_SIZE + 64];
    int reason = errno;
    snprintf(what, sizeof what, "failed to initialize logging driver: open %s", shim.options.log_path);
    errno = reason;
    fail_start(session, what);
  } else if (runtime_run(session) < 0) {
    fail_start(session, "starting the OCI runtime");
  } else {
    state_reserve(); /* while the runtime is at work */
  }
}

/* Everything is recorded and told to whoever listens. */
static int is_finished(void) {
  if (shim.phase != PHASE_EXITED && shim.phase != PHASE_FAILED) return 0;
  for (struct client *client = shim.clients; client; client = client->next) {
    if (client->dead) continue;
    if (!queue_is_empty(&client->queue)) return 0;
    if (client->role == ROLE_CONTROL && shim.phase == PHASE_EXITED && !shim.released) return 0;
  }
  return shim.phase == PHASE_FAILED || shim.record_written || shim.released;
}

static int next_timeout(void) {
  int timeout = log_retry_in();
  if (shim.phase == PHASE_EXITED && !shim.record_written && (timeout < 0 || timeout > RETRY_RECORD_MS))
    timeout = RETRY_RECORD_MS;
  if (shim.idle_terminals && (timeout < 0 || timeout > IDLE_TERMINAL_MS)) timeout = IDLE_TERMINAL_MS;
  return timeout;
}

static void after_batch(void) {
  log_look();
  if (shim.held_output && !log_is_held()) sessions_release_output();
  if (shim.phase == PHASE_EXITED && !shim.record_written) {
    state_exit(session_find(0));
    if (shim.record_written) clients_state();
  }
  if (shim.idle_terminals) sessions_wake_terminals();
  if (shim.sweep) {
    shim.sweep = 0;
    clients_sweep();
    sessions_sweep();
  }
}

int main(int argc, char **argv) {
  if (argc > 1 && argc < 4 && strcmp(argv[1], "--namespaces") == 0) return namespaces_hold(argv[2]);
  if (argc == 2 && strcmp(argv[1], "--is-chroot") == 0) return namespaces_is_chroot();
  const char *wrong = options_parse(&shim.options, argc, argv);
  if (wrong) {
    dprintf(2, "slipway-shim: %s\n", wrong);
    return 125;
  }
  settle_process();
  loop_init();
  if (reap_init() < 0) return 125;
  start();
  while (!is_finished()) {
    loop_once(next_timeout());
    after_batch();
  }
  server_close();
  return 0;
}
