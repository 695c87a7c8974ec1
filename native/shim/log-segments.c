#define _GNU_SOURCE
#include "log-segments.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"

/* `VERSION SEGMENT OFFSET\n`, each number with leading zeros: always the same length, written in one go. */
#define CURSOR_SIZE 44
#define DIGITS 10

static struct {
  int known; /* the directory was looked at */
  uint64_t active; /* the number that LOG gets */
  uint64_t oldest; /* no lower number exists */
  int chained; /* the former release had LOG.1, LOG.2, ... instead: the highest of them */
  int cursor_fd;
  uint64_t cursor_segment, cursor_offset;
} state = {.cursor_fd = -1};

static void numbered(char *to, size_t size, uint64_t number, const char *end) {
  snprintf(to, size, "%s.%0*llu%s", shim.options.log_path, DIGITS, (unsigned long long)number, end);
}

static void note_name(const char *digits) {
  char *end;
  uint64_t number = strtoull(digits, &end, 10);
  if (end == digits || number == 0 || (*end && strcmp(end, ".gz") != 0)) return;
  if (end - digits < DIGITS) {
    if (number < 10000 && (int)number > state.chained) state.chained = (int)number;
    return;
  }
  if (number >= state.active) state.active = number + 1;
  if (state.oldest == 0 || number < state.oldest) state.oldest = number;
}

static void read_cursor(void) {
  char text[CURSOR_SIZE + 1];
  if (state.cursor_fd < 0) state.cursor_fd = open(shim.options.log_cursor, O_RDONLY | O_CLOEXEC);
  if (state.cursor_fd < 0 || pread(state.cursor_fd, text, CURSOR_SIZE, 0) != CURSOR_SIZE) return;
  text[CURSOR_SIZE] = 0;
  unsigned long long segment, offset;
  if (text[CURSOR_SIZE - 1] != '\n' || sscanf(text, "1 %llu %llu", &segment, &offset) != 2) return;
  state.cursor_segment = segment;
  state.cursor_offset = offset;
}

static void look(void) {
  char directory[PATH_MAX];
  const char *path = shim.options.log_path;
  const char *slash = strrchr(path, '/');
  state.known = 1;
  state.active = 1;
  state.oldest = 0;
  snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
  DIR *listing = opendir(directory);
  if (!listing) return;
  const char *base = slash ? slash + 1 : path;
  size_t length = strlen(base);
  for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing))
    if (strncmp(entry->d_name, base, length) == 0 && entry->d_name[length] == '.') note_name(entry->d_name + length + 1);
  closedir(listing);
  if (state.oldest == 0) state.oldest = state.active;
}

void segments_open(void) {
  if (!shim.options.log_cursor) return; /* looked up at the first rotation: most containers end before it */
  look();
  read_cursor();
  /* All that was sent may be deleted already: numbers go on all the same. */
  if (state.cursor_segment > state.active) state.active = state.oldest = state.cursor_segment;
  if (state.cursor_segment == 0) state.cursor_segment = state.oldest;
}

int segments_rotate(void) {
  char to[PATH_MAX];
  const char *path = shim.options.log_path;
  if (!state.known) look();
  int done;
  if (shim.options.log_max_file > 1 || shim.options.log_cursor) {
    numbered(to, sizeof to, state.active, "");
    done = rename(path, to);
  } else {
    done = unlink(path);
  }
  if (done < 0 && errno != ENOENT) return -1;
  state.active++;
  return 0;
}

void segments_restore(void) {
  char from[PATH_MAX];
  numbered(from, sizeof from, --state.active, "");
  rename(from, shim.options.log_path);
}

static void prune_chained(int64_t keep) {
  char path[PATH_MAX];
  for (; state.chained > 0 && state.chained > keep; state.chained--) {
    snprintf(path, sizeof path, "%s.%d", shim.options.log_path, state.chained);
    unlink(path);
  }
}

void segments_prune(void) {
  if (shim.options.log_cursor) return;
  char path[PATH_MAX];
  int64_t keep = shim.options.log_max_file - 1;
  while ((int64_t)(state.active - state.oldest) > keep) {
    numbered(path, sizeof path, state.oldest, "");
    unlink(path);
    numbered(path, sizeof path, state.oldest, ".gz");
    unlink(path);
    state.oldest++;
  }
  if (state.chained) prune_chained(keep - (int64_t)(state.active - state.oldest));
}

int64_t segments_unsent(int64_t active_size, int now) {
  if (!shim.options.log_cursor) return 0;
  if (now) read_cursor();
  if (state.cursor_segment > state.active) return 0;
  /* Every file but the active one is as long as a file may get. */
  return (int64_t)(state.active - state.cursor_segment) * shim.options.log_max_size + active_size - (int64_t)state.cursor_offset;
}
