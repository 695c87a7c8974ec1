#define _GNU_SOURCE
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

ssize_t read_small(const char *path, char *to, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t have = 0;
  while (have < size - 1) {
    ssize_t n = read(fd, to + have, size - 1 - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += (size_t)n;
  }
  close(fd);
  to[have] = 0;
  return (ssize_t)have;
}

static int write_file(const char *path, int flags, const char *data, size_t size) {
  int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0640);
  if (fd < 0) return -1;
  size_t done = 0;
  while (done < size) {
    ssize_t n = write(fd, data + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      close(fd);
      return -1;
    }
    done += (size_t)n;
  }
  return close(fd);
}

int write_small(const char *path, const char *data, size_t size) {
  return write_file(path, O_CREAT | O_TRUNC, data, size);
}

int write_atomic(const char *path, const char *data, size_t size) {
  char temporary[PATH_MAX];
  if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary) return -1;
  if (write_file(temporary, O_CREAT | O_TRUNC, data, size) < 0) {
    unlink(temporary);
    return -1;
  }
  return rename(temporary, path);
}

uint64_t start_ticks(pid_t pid) {
  char path[64], stat[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  if (read_small(path, stat, sizeof stat) <= 0) return 0;
  /* The command name may hold spaces and parentheses: count fields from the last one. */
  char *at = strrchr(stat, ')');
  for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
  return at ? strtoull(at + 1, NULL, 10) : 0;
}

uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
