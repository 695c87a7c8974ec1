#define _GNU_SOURCE
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oom.h"
#include "state.h"
#include "text.h"

#define MAX_ARGS (MAX_RUNTIME_ARGS + 24)

static void file_of(const struct session *session, const char *suffix, char *to, size_t size) {
  snprintf(to, size, "%s%s", session->base, suffix);
}

/* Only an exec's terminal gets its size late (native/console-size). */
static void preload_console_size(const struct session *session) {
  if (!shim.options.exec_preload || session->id == 0 || !session->terminal) return;
  if (session->rows == 0 && session->columns == 0) return;
  char size[16];
  snprintf(size, sizeof size, "%u %u", session->rows, session->columns);
  setenv("SLIPWAY_CONSOLE_SIZE", size, 1);
  setenv("LD_PRELOAD", shim.options.exec_preload, 1);
}

/* In the child: what the shim changed for itself goes back to what a process expects. */
static void become_runtime(const struct session *session, char **args, const int child[3]) {
  for (int i = 0; i < 3; i++)
    if (child[i] >= 0) dup2(child[i], i);
  /* By the bare system call: whoever spawned us may have left signals ignored that the C library keeps for itself (32 to 34). */
  static const uint64_t normal[8]; /* a kernel sigaction of zeros is SIG_DFL on every architecture */
  for (int signal = 1; signal <= 64; signal++) syscall(SYS_rt_sigaction, signal, normal, NULL, 8);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  umask(022);
  /* A runtime without its shim would start a container that nobody holds. Does not pass on to what it forks. */
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  /* The runtime sets what the spec says; without a word there the container must not inherit the shim's protection. */
  write_small("/proc/self/oom_score_adj", "0", 1);
  preload_console_size(session);
  execv(args[0], args);
  char path[PATH_SIZE], text[PATH_SIZE + 256];
  file_of(session, ".log", path, sizeof path);
  int size = snprintf(text, sizeof text, "{\"msg\":\"exec %s: %s\",\"level\":\"error\"}\n", args[0], strerror(errno));
  write_small(path, text, (size_t)size);
  _exit(127);
}

/* `verb` is run, restore or exec; `process` the path of the process document for exec. */
static int launch(struct session *session, const char *verb, const char *process, const int child[3]) {
  char log[PATH_SIZE], pid_file[PATH_SIZE], console[PATH_SIZE];
  file_of(session, ".log", log, sizeof log);
  file_of(session, ".pid", pid_file, sizeof pid_file);
  session_console_path(session, console, sizeof console);
  const char *args[MAX_ARGS];
  int n = 0;
  args[n++] = shim.options.runtime_path;
  for (int i = 0; i < shim.options.runtime_arg_count; i++) args[n++] = shim.options.runtime_args[i];
  if (shim.options.runtime_root) {
    args[n++] = "--root";
    args[n++] = shim.options.runtime_root;
  }
  args[n++] = "--log";
  args[n++] = log;
  args[n++] = "--log-format";
  args[n++] = "json";
  args[n++] = verb;
  args[n++] = "--detach";
  args[n++] = "--pid-file";
  args[n++] = pid_file;
  if (process) {
    args[n++] = "--process";
    args[n++] = process;
  } else {
    args[n++] = "--bundle";
    args[n++] = shim.options.bundle;
  }
  if (!process && shim.options.restore_path) {
    args[n++] = "--image-path";
    args[n++] = shim.options.restore_path;
    /* criu's restore.log: the daemon reads it when the restore fails. */
    args[n++] = "--work-path";
    args[n++] = shim.options.bundle;
  }
  if (session->terminal) {
    args[n++] = "--console-socket";
    args[n++] = console;
  }
  args[n++] = shim.options.id;
  args[n] = NULL;
  pid_t pid = fork();
  if (pid == 0) become_runtime(session, (char **)args, child);
  if (pid < 0) return -1;
  session->runtime_pid = pid;
  return 0;
}

static void close_all(const int fds[3]) {
  for (int i = 0; i < 3; i++)
    if (fds[i] >= 0) close(fds[i]);
}

int runtime_run(struct session *session) {
  int child[3];
  int failed = session_open_stdio(session, shim.options.open_stdin, child) < 0;
  if (!failed) failed = launch(session, shim.options.restore_path ? "restore" : "run", NULL, child) < 0;
  int why = errno;
  close_all(child);
  errno = why;
  return failed ? -1 : 0;
}

/* What the runtime said about its failure, as it wrote it (JSON lines). */
static size_t failure_text(const struct session *session, int status, char *to, size_t size) {
  char path[PATH_SIZE];
  file_of(session, ".log", path, sizeof path);
  ssize_t n = read_small(path, to, size);
  if (n > 0) return (size_t)n;
  return (size_t)snprintf(to, size, "{\"msg\":\"%s ended with status %d and no message\",\"level\":\"error\"}\n",
                          shim.options.runtime_path, status);
}

static void forget_files(const struct session *session) {
  static const char *const suffixes[] = {".log", ".pid"};
  char path[PATH_SIZE];
  for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
    file_of(session, suffixes[i], path, sizeof path);
    unlink(path);
  }
}

static void fail(struct session *session, int status, const char *text, size_t size) {
  session->phase = PHASE_FAILED;
  /* Whatever is in the pipes was said by the runtime, not by the container: it is no output. */
  session_close_stdio(session);
  clients_failed(session, status, text, size);
  if (session->id == 0) shim.phase = PHASE_FAILED;
  else forget_files(session);
  shim.sweep = 1;
}

void runtime_exec(struct client *client, uint8_t flags, uint16_t rows, uint16_t columns, const char *process) {
  struct session *session = session_create(session_free_id());
  if (!session) {
    client_cut(client, ERROR_BAD_REQUEST);
    return;
  }
  session->terminal = (flags & EXEC_TERMINAL) != 0;
  session->close_stdin = 1;
  session->rows = rows;
  session->columns = columns;
  client->session = session->id;
  client->attached = 1;
  client->stdin_open = (client->streams & STREAM_STDIN) != 0;
  int child[3];
  int failed = session_open_stdio(session, (flags & EXEC_STDIN) != 0, child) < 0;
  if (!failed) failed = launch(session, "exec", process, child) < 0;
  int why = errno;
  close_all(child);
  if (!failed) return;
  char text[256];
  int size = snprintf(text, sizeof text, "{\"msg\":\"exec: %s\",\"level\":\"error\"}\n", strerror(why));
  fail(session, -1, text, (size_t)size);
}

static pid_t read_pid(const struct session *session) {
  char path[PATH_SIZE], text[32];
  file_of(session, ".pid", path, sizeof path);
  return read_small(path, text, sizeof text) > 0 ? (pid_t)atoi(text) : 0;
}

void runtime_ended(struct session *session, int status) {
  session->runtime_pid = 0;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_t pid = code == 0 ? read_pid(session) : 0;
  if (pid <= 0) {
    char text[RUNTIME_TEXT_MAX];
    size_t size = failure_text(session, code, text, sizeof text);
    fail(session, code, text, size);
    return;
  }
  session->pid = pid;
  /* Not reaped yet even if it is dead already, so the number is still its own. */
  session->ticks = start_ticks(pid);
  session_begin(session);
  if (session->id == 0) {
    shim.phase = PHASE_RUNNING;
    state_write(session);
    oom_watch();
    clients_state();
  } else {
    forget_files(session);
    clients_exec_started(session);
  }
}
