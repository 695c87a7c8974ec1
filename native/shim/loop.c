#include "loop.h"

#include <sys/epoll.h>
#include <unistd.h>

static int epoll_fd = -1;
static struct epoll_event batch[32];
static int batch_count;

void loop_init(void) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

void loop_set(struct source *source, uint32_t events) {
  if (source->fd < 0 || source->events == events) return;
  struct epoll_event event = {.events = events, .data.ptr = source};
  int operation = events == 0 ? EPOLL_CTL_DEL : source->events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(epoll_fd, operation, source->fd, &event) == 0) source->events = events;
}

void loop_close(struct source *source) {
  if (source->fd < 0) return;
  loop_set(source, 0);
  close(source->fd);
  source->fd = -1;
  source->events = 0;
  /* An event of this batch may still point here. */
  for (int i = 0; i < batch_count; i++)
    if (batch[i].data.ptr == source) batch[i].data.ptr = 0;
}

void loop_once(int timeout_ms) {
  batch_count = epoll_wait(epoll_fd, batch, sizeof batch / sizeof batch[0], timeout_ms);
  for (int i = 0; i < batch_count; i++) {
    struct source *source = batch[i].data.ptr;
    if (source && source->fd >= 0) source->handle(source, batch[i].events);
  }
  batch_count = 0;
}
