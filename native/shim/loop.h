/* One epoll loop. A source is embedded in whoever owns the descriptor. */
#ifndef SHIM_LOOP_H
#define SHIM_LOOP_H

#include <stdint.h>

struct source {
  int fd;
  uint32_t events; /* what epoll was last told; 0 when it is not registered */
  void (*handle)(struct source *source, uint32_t events);
};

void loop_init(void);
/* Registers, changes or (events 0) unregisters; a descriptor that epoll refuses (a regular file) is ignored. */
void loop_set(struct source *source, uint32_t events);
/* Unregisters and closes. Safe within a handler, also for another source of the same batch. */
void loop_close(struct source *source);
/* Waits at most `timeout_ms` (-1 for ever) and handles one batch. */
void loop_once(int timeout_ms);

#endif
