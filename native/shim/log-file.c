#define _GNU_SOURCE
#include "log-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json-line.h"
#include "log-segments.h"
#include "shim.h"
#include "text.h"

/* Docker cuts a line into pieces of this size; only the last one carries the newline. */
#define PIECE 16384
#define FLUSH_AT 65536
/* Room for everything of an entry but its text; the attributes may take half of it. */
#define FRAMING 32768
#define RETRY_NS 1000000000u
/* How long the container's output is held back while nothing at all is sent on. */
#define HOLD_NS 10000000000u
#define HOLD_LOOK_MS 20

/* A line that began in an earlier read. Its time is that of its first byte, for all of its pieces. */
static struct {
  uint8_t bytes[PIECE];
  size_t size;
  int open; /* a piece was written already, or bytes wait */
  char time[40];
  size_t time_size;
} carried[2];

static const char *const stream_text[2] = {"\",\"stream\":\"stdout\"", "\",\"stream\":\"stderr\""};

static struct {
  int fd;
  int64_t size;
  char out[FLUSH_AT + JSON_WORST(PIECE) + FRAMING + 8];
  size_t used;
  int broken;
  uint64_t retry_at;
  uint64_t lost_lines, lost_bytes; /* since the disk filled */
  uint64_t lost_total;
  enum { SENT_ON, HOLDING, DROPPING } backlog; /* what is done about too much that waits to be sent on */
  int64_t unsent; /* when it was last looked at while holding or dropping */
  uint64_t progress_at;
  size_t attributes_size;
} file = {.fd = -1};

static int open_file(int flags) {
  file.fd = open(shim.options.log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0640);
  if (file.fd < 0) return -1;
  struct stat now;
  file.size = fstat(file.fd, &now) == 0 ? now.st_size : 0;
  return 0;
}

int log_open(void) {
  if (!shim.options.log_path) return 0;
  if (shim.options.log_attributes) file.attributes_size = strlen(shim.options.log_attributes);
  if (file.attributes_size > FRAMING / 2) {
    errno = EMSGSIZE;
    return -1;
  }
  segments_open();
  return open_file(0);
}

/*
 * The old file is complete before the new one exists: a reader that finds the old one's number reads it to its end and goes on.
 * Nothing is truncated: a reader keeps what it has open.
 */
static void rotate(void) {
  int old = file.fd;
  if (segments_rotate() < 0) return; /* goes on in the old file; tried again at the next line */
  if (open_file(0) == 0) {
    close(old);
    segments_prune();
  } else {
    file.fd = old;
    segments_restore();
  }
}

static void flush(void) {
  size_t done = 0;
  while (done < file.used) {
    ssize_t n = write(file.fd, file.out + done, file.used - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += (size_t)n;
  }
  file.size += (int64_t)done;
  if (done < file.used) {
    /* Half a line may be in the file: the rest stays first in line, so that the file heals when there is room. */
    memmove(file.out, file.out + done, file.used - done);
    file.broken = 1;
    file.retry_at = now_ns() + RETRY_NS;
  }
  file.used -= done;
}

static void append(const char *data, size_t size) {
  memcpy(file.out + file.used, data, size);
  file.used += size;
}

static void encode(int stream, const uint8_t *text, size_t size, int newline, const char *time, size_t time_size) {
  append("{\"log\":\"", 8);
  file.used += json_escape(file.out + file.used, text, size, shim.options.log_keep_bytes);
  if (newline) append("\\n", 2);
  append(stream_text[stream], 19);
  if (file.attributes_size) {
    append(",\"attrs\":", 9);
    append(shim.options.log_attributes, file.attributes_size);
  }
  append(",\"time\":", 8);
  append(time, time_size);
  append("}\n", 2);
}

/* One entry of the log. */
static void emit(int stream, const uint8_t *text, size_t size, int newline, const char *time, size_t time_size) {
  /* Once a line is lost all are, until there is room: a short one that would still fit must not hide the gap. */
  int full = file.broken && (file.lost_lines > 0 || file.used + JSON_WORST(size) + FRAMING > sizeof file.out);
  if (full || file.backlog == DROPPING) {
    file.lost_lines++;
    file.lost_total++;
    file.lost_bytes += size;
    return;
  }
  int64_t max = shim.options.log_max_size;
  if (max > 0 && file.size + (int64_t)file.used >= max && !file.broken) {
    flush();
    if (!file.broken) rotate();
  }
  encode(stream, text, size, newline, time, time_size);
  if (file.used >= FLUSH_AT && !file.broken) flush();
}

static void carry(int stream, const uint8_t *data, size_t size, const char *time, size_t time_size) {
  if (!carried[stream].open) {
    carried[stream].open = 1;
    memcpy(carried[stream].time, time, time_size);
    carried[stream].time_size = time_size;
  }
  memcpy(carried[stream].bytes + carried[stream].size, data, size);
  carried[stream].size += size;
}

static void emit_carried(int stream, int newline) {
  emit(stream, carried[stream].bytes, carried[stream].size, newline, carried[stream].time, carried[stream].time_size);
  carried[stream].size = 0;
  if (newline) carried[stream].open = 0;
}

/*
 * When as much waits to be sent on as may, the container's output is not read until there is room: it goes as fast as the receiver.
 * If nothing at all is taken for HOLD_NS the container goes on, and lines are dropped and counted until there is room again.
 */
static void weigh_backlog(void) {
  int64_t max = shim.options.log_unsent_max;
  if (!shim.options.log_cursor || max <= 0 || shim.options.log_max_size <= 0) return;
  int64_t size = file.size + (int64_t)file.used;
  if (file.backlog == SENT_ON && segments_unsent(size, 0) < max) return;
  int64_t unsent = segments_unsent(size, 1);
  uint64_t now = now_ns();
  if (unsent < max - max / 8) {
    file.backlog = SENT_ON;
  } else if (file.backlog == SENT_ON) {
    if (unsent < max) return;
    file.backlog = HOLDING;
    file.progress_at = now;
  } else if (unsent < file.unsent || now < file.progress_at) {
    file.backlog = HOLDING;
    file.progress_at = now;
  } else if (now - file.progress_at > HOLD_NS) {
    file.backlog = DROPPING;
  }
  file.unsent = unsent;
}

int log_is_held(void) {
  return file.backlog == HOLDING;
}

void log_write(int stream, const uint8_t *data, size_t size) {
  if (file.fd < 0) return;
  if (file.backlog == DROPPING) weigh_backlog();
  if (file.broken || (file.lost_lines > 0 && file.backlog != DROPPING)) log_retry();
  char time[40];
  size_t time_size = json_time(time, now_ns());
  while (size > 0) {
    /* A piece is full at 16 KiB without a newline: a newline that comes right after makes an entry of its own, as in Docker. */
    size_t room = PIECE - carried[stream].size;
    size_t within = size < room ? size : room;
    const uint8_t *newline = memchr(data, '\n', within);
    size_t length = newline ? (size_t)(newline - data) : within;
    if (newline && !carried[stream].open) {
      emit(stream, data, length, 1, time, time_size);
    } else {
      carry(stream, data, length, time, time_size);
      if (newline || carried[stream].size == PIECE) emit_carried(stream, newline != NULL);
    }
    size_t taken = length + (newline ? 1 : 0);
    data += taken;
    size -= taken;
  }
  if (file.used && !file.broken) flush();
  if (file.backlog != DROPPING) weigh_backlog();
}

void log_end(int stream) {
  if (file.fd < 0) return;
  if (carried[stream].size > 0) emit_carried(stream, 0);
  carried[stream].open = 0;
  if (file.backlog == DROPPING) file.backlog = SENT_ON; /* the gap is named, however much waits */
  if (file.used || file.lost_lines > 0) log_retry();
}

int log_retry_in(void) {
  if (file.backlog == HOLDING) return HOLD_LOOK_MS;
  if (!file.broken) return -1;
  uint64_t now = now_ns();
  /* The clock may have been set back. */
  if (now >= file.retry_at || file.retry_at - now > RETRY_NS) return 0;
  return (int)((file.retry_at - now) / 1000000u) + 1;
}

void log_look(void) {
  if (file.backlog == HOLDING) weigh_backlog();
  if (log_retry_in() == 0) log_retry();
}

void log_retry(void) {
  if (file.fd < 0 || file.backlog == DROPPING) return;
  const char *reason = file.broken ? "the disk of the log was full" : "the receiver of the log took nothing and its spool was full";
  file.broken = 0;
  flush();
  if (file.broken || file.lost_lines == 0) return;
  char text[200], time[40];
  int size = snprintf(text, sizeof text, "slipway: %s: %llu lines (%llu bytes) of output are missing here", reason,
                      (unsigned long long)file.lost_lines, (unsigned long long)file.lost_bytes);
  file.lost_lines = file.lost_bytes = 0;
  size_t time_size = json_time(time, now_ns());
  emit(1, (const uint8_t *)text, (size_t)size, 1, time, time_size);
  flush();
}

uint64_t log_lost_lines(void) {
  return file.lost_total;
}
