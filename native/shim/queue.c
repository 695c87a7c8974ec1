#define _GNU_SOURCE
#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "protocol.h"
#include "shim.h"

/* Holds at least one whole frame, so that the rest of a frame that was sent in part always fits. */
#define MEMORY_SIZE (2 * MAX_PAYLOAD)

void queue_init(struct queue *queue) {
  memset(queue, 0, sizeof *queue);
  queue->spill_fd = -1;
}

int queue_is_empty(const struct queue *queue) {
  return queue->begin == queue->end && queue->spill_fd < 0;
}

static int would_block(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM;
}

static enum queue_result keep_in_memory(struct queue *queue, const void *data, size_t size) {
  if (!queue->memory) {
    void *mapped = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return QUEUE_IO;
    queue->memory = mapped;
    queue->begin = queue->end = 0;
  }
  memcpy(queue->memory + queue->end, data, size);
  queue->end += size;
  return QUEUE_OK;
}

static int open_spill(void) {
  int fd = open(shim.options.spill_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  /* Filesystems without O_TMPFILE: a name that lives for a moment. */
  char path[4096];
  if (snprintf(path, sizeof path, "%s/.spill-XXXXXX", shim.options.spill_dir) >= (int)sizeof path) return -1;
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0) unlink(path);
  return fd;
}

static enum queue_result spill(struct queue *queue, const void *header, const void *payload, size_t size) {
  if (queue->spill_end - queue->spill_begin + (off_t)(HEADER_SIZE + size) > shim.options.spill_max) return QUEUE_LIMIT;
  if (queue->spill_fd < 0) {
    queue->spill_fd = open_spill();
    queue->spill_begin = queue->spill_end = 0;
    if (queue->spill_fd < 0) return QUEUE_IO;
  }
  struct iovec parts[2] = {{(void *)header, HEADER_SIZE}, {(void *)payload, size}};
  ssize_t n = pwritev(queue->spill_fd, parts, 2, queue->spill_end);
  /* A full disk may take a part: spill_end stays, so the part is never read. */
  if (n != (ssize_t)(HEADER_SIZE + size)) return QUEUE_IO;
  queue->spill_end += n;
  return QUEUE_OK;
}

enum queue_result queue_send(struct queue *queue, int fd, const void *header, const void *payload, size_t size) {
  size_t sent = 0, total = HEADER_SIZE + size;
  if (queue_is_empty(queue)) {
    struct iovec parts[2] = {{(void *)header, HEADER_SIZE}, {(void *)payload, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && !would_block() && errno != EINTR) return QUEUE_PEER_GONE;
    sent = n < 0 ? 0 : (size_t)n;
    if (sent == total) return QUEUE_OK;
  }
  if (queue->spill_fd < 0 && queue->end + (total - sent) <= MEMORY_SIZE) {
    if (sent < HEADER_SIZE) {
      enum queue_result kept = keep_in_memory(queue, (const uint8_t *)header + sent, HEADER_SIZE - sent);
      if (kept != QUEUE_OK) return sent ? QUEUE_PEER_GONE : kept;
      sent = HEADER_SIZE;
    }
    enum queue_result kept = keep_in_memory(queue, (const uint8_t *)payload + (sent - HEADER_SIZE), total - sent);
    return kept == QUEUE_OK ? kept : QUEUE_PEER_GONE;
  }
  return spill(queue, header, payload, size);
}

static void drop_memory(struct queue *queue) {
  if (queue->memory) munmap(queue->memory, MEMORY_SIZE);
  queue->memory = NULL;
  queue->begin = queue->end = 0;
}

static void drop_spill(struct queue *queue) {
  if (queue->spill_fd >= 0) close(queue->spill_fd);
  queue->spill_fd = -1;
  queue->spill_begin = queue->spill_end = 0;
}

/* Gives the blocks of what was sent back to the disk, so that the limit counts what waits and not what passed. */
static void trim_spill(struct queue *queue, off_t from) {
  const off_t step = 16 << 20;
  if (queue->spill_begin / step == from / step) return;
  fallocate(queue->spill_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, queue->spill_begin / step * step);
}

enum queue_result queue_flush(struct queue *queue, int fd) {
  while (queue->begin < queue->end) {
    ssize_t n = send(fd, queue->memory + queue->begin, queue->end - queue->begin, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return would_block() ? QUEUE_OK : QUEUE_PEER_GONE;
    queue->begin += (size_t)n;
  }
  drop_memory(queue);
  while (queue->spill_fd >= 0 && queue->spill_begin < queue->spill_end) {
    off_t from = queue->spill_begin;
    size_t want = (size_t)(queue->spill_end - from);
    ssize_t n = sendfile(fd, queue->spill_fd, &queue->spill_begin, want > (1 << 20) ? 1 << 20 : want);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return would_block() ? QUEUE_OK : QUEUE_PEER_GONE;
    if (n == 0) return QUEUE_PEER_GONE;
    trim_spill(queue, from);
  }
  drop_spill(queue);
  return QUEUE_OK;
}

void queue_free(struct queue *queue) {
  drop_memory(queue);
  drop_spill(queue);
}
