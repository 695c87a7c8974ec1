#define _GNU_SOURCE
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "log-file.h"
#include "oom.h"
#include "text.h"

#define RECORD_SIZE 512

void state_write(const struct session *session) {
  char path[PATH_SIZE], text[1024];
  pid_t self = getpid();
  int size = snprintf(text, sizeof text,
                      "{\"version\":1,\"protocol\":%d,\"shimPid\":%d,\"shimStartTicks\":\"%llu\","
                      "\"pid\":%d,\"pidStartTicks\":\"%llu\",\"terminal\":%s,\"socket\":\"%s\"}\n",
                      PROTOCOL_MAX, (int)self, (unsigned long long)start_ticks(self), (int)session->pid,
                      (unsigned long long)session->ticks, session->terminal ? "true" : "false", shim.options.socket_path);
  snprintf(path, sizeof path, "%s/shim.json", shim.options.bundle);
  write_small(path, text, (size_t)size);
}

static int reserved_fd = -1;

static int reserved_path(char *to, size_t size) {
  return snprintf(to, size, "%s.new", shim.options.exit_path) < (int)size ? 0 : -1;
}

void state_reserve(void) {
  char path[PATH_SIZE];
  if (reserved_path(path, sizeof path) < 0) return;
  reserved_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (reserved_fd >= 0) fallocate(reserved_fd, 0, 0, RECORD_SIZE);
}

/* Into the reserved file, then under its name; 0 or -1. */
static int write_reserved(const char *text, size_t size) {
  char path[PATH_SIZE];
  if (reserved_fd < 0 || reserved_path(path, sizeof path) < 0) return -1;
  int done = pwrite(reserved_fd, text, size, 0) == (ssize_t)size && ftruncate(reserved_fd, (off_t)size) == 0 &&
             rename(path, shim.options.exit_path) == 0;
  close(reserved_fd);
  reserved_fd = -1;
  return done ? 0 : -1;
}

static int is_gone(const char *path) {
  return access(path, F_OK) < 0 && errno == ENOENT;
}

/*
 * Whether the container was removed and nobody took the exit over: its bundle is gone, and with it the directory of the record. A daemon
 * that still listens is told by its own words.
 */
static int is_removed(void) {
  char directory[PATH_SIZE];
  snprintf(directory, sizeof directory, "%s", shim.options.exit_path);
  char *slash = strrchr(directory, '/');
  if (!slash) return 0;
  *slash = 0;
  for (struct client *client = shim.clients; client; client = client->next)
    if (!client->dead && client->role == ROLE_CONTROL) return 0;
  return is_gone(shim.options.bundle) && is_gone(directory);
}

void state_exit(const struct session *session) {
  if (!shim.oom_killed) shim.oom_killed = oom_happened();
  char text[RECORD_SIZE];
  int size = snprintf(text, sizeof text,
                      "{\"version\":1,\"exitCode\":%d,\"signal\":%d,\"exitedAtNano\":\"%llu\",\"oomKilled\":%s,"
                      "\"pid\":%d,\"pidStartTicks\":\"%llu\",\"lostLogLines\":%llu}\n",
                      shim.exit_code, shim.exit_signal, (unsigned long long)shim.exited_at_ns,
                      shim.oom_killed ? "true" : "false", (int)session->pid, (unsigned long long)session->ticks,
                      (unsigned long long)log_lost_lines());
  shim.record_written = write_reserved(text, (size_t)size) == 0 || write_atomic(shim.options.exit_path, text, (size_t)size) == 0;
  if (!shim.record_written && is_removed()) shim.released = 1;
}
