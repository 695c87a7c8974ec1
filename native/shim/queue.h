/*
 * Bytes on their way to one client. First straight to the socket, then a little memory, then an unlinked file: a client that
 * reads slowly costs disk, never time of the container and never a byte.
 */
#ifndef SHIM_QUEUE_H
#define SHIM_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct queue {
  uint8_t *memory; /* mapped while bytes wait, given back when they are gone */
  size_t begin, end;
  int spill_fd; /* -1 while there is none */
  off_t spill_begin, spill_end;
};

enum queue_result { QUEUE_OK = 0, QUEUE_PEER_GONE, QUEUE_LIMIT, QUEUE_IO };

void queue_init(struct queue *queue);
int queue_is_empty(const struct queue *queue);
/* Sends or keeps one whole frame. QUEUE_LIMIT and QUEUE_IO keep nothing of it, so the stream stays whole frames. */
enum queue_result queue_send(struct queue *queue, int fd, const void *header, const void *payload, size_t size);
/* The socket is writable again. */
enum queue_result queue_flush(struct queue *queue, int fd);
void queue_free(struct queue *queue);

#endif
