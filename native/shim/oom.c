#define _GNU_SOURCE
#include "oom.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "shim.h"
#include "text.h"

#define EVENTS_SIZE 1024

static struct source events = {.fd = -1};
static char scope[4096];
/* As they were when the kernel last told of a change. */
static int64_t refused, limit_hit, parent_kills;

/* The number behind `word` (with a blank); -1 without such a line. */
static int64_t number_in(const char *text, const char *word) {
  const char *line = strstr(text, word);
  return line ? atoll(line + strlen(word)) : -1;
}

/* cgroup v2 counts in memory.events, v1 in memory.oom_control. -1 when neither is there. */
static int64_t kills_in(const char *cgroup) {
  static const char *const files[] = {"memory.events", "memory.oom_control"};
  char path[4200], text[EVENTS_SIZE];
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    snprintf(path, sizeof path, "%s/%s", cgroup, files[i]);
    if (read_small(path, text, sizeof text) > 0) return number_in(text, "oom_kill ");
  }
  return -1;
}

/* The slice counts what happens in all of its scopes, and stays. */
static int64_t kills_in_slice(void) {
  char slice[sizeof scope];
  memcpy(slice, scope, sizeof slice);
  char *end = strrchr(slice, '/');
  if (!end) return -1;
  *end = 0;
  return kills_in(slice);
}

static void on_events(struct source *source, uint32_t what) {
  (void)what;
  char text[EVENTS_SIZE];
  ssize_t size = pread(source->fd, text, sizeof text - 1, 0);
  if (size <= 0) {
    loop_close(source);
    return;
  }
  text[size] = 0;
  if (number_in(text, "oom_kill ") > 0) shim.oom_killed = 1;
  refused = number_in(text, "oom ");
  limit_hit = number_in(text, "max ");
  parent_kills = kills_in_slice();
}

static int is_scope(const char *path) {
  size_t size = strlen(path);
  return size > 6 && size < sizeof scope && strcmp(path + size - 6, ".scope") == 0;
}

void oom_watch(void) {
  for (int i = 0; i < shim.options.cgroup_count; i++) {
    const char *path = shim.options.cgroups[i];
    if (!is_scope(path)) continue;
    strcpy(scope, path);
    char file[4200];
    snprintf(file, sizeof file, "%s/memory.events", path);
    events.fd = open(file, O_RDONLY | O_CLOEXEC);
    events.handle = on_events;
    if (events.fd < 0) return;
    /* What was read last is what a change is told against. */
    on_events(&events, 0);
    loop_set(&events, EPOLLPRI);
    return;
  }
}

int oom_happened(void) {
  int64_t kills = -1;
  for (int i = 0; i < shim.options.cgroup_count && kills <= 0; i++) kills = kills_in(shim.options.cgroups[i]);
  if (kills > 0) return 1;
  if (kills == 0 || scope[0] == 0 || shim.exit_signal != SIGKILL) return 0;
  /* Gone before it was read. The kernel holds back what it tells for 10 ms, so the kill itself may be missing. */
  return refused > 0 || (limit_hit > 0 && kills_in_slice() > parent_kills);
}
