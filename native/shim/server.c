/* The listening socket: clients of a running container, and the daemon after its restart. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client.h"
#include "console.h"

static struct source listener = {.fd = -1};
/* Given up for a moment when descriptors run out, to take and drop a connection that would otherwise wake us for ever. */
static int spare_fd = -1;

static void on_connection(struct source *source, uint32_t events) {
  (void)events;
  for (;;) {
    int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      client_create(fd, ROLE_NONE, 0);
      continue;
    }
    if (errno != EMFILE && errno != ENFILE) return;
    close(spare_fd);
    fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) close(fd);
    spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
  }
}

/* The file of our socket: a container that starts again listens at the same path while we may still feed a slow client. */
static struct stat own_file;

int server_listen(const char *path) {
  listener.fd = console_listen(path);
  if (listener.fd < 0) return -1;
  if (lstat(path, &own_file) < 0) return -1;
  listener.handle = on_connection;
  spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  loop_set(&listener, EPOLLIN);
  return 0;
}

void server_close(void) {
  struct stat now;
  if (listener.fd >= 0 && lstat(shim.options.socket_path, &now) == 0 && now.st_ino == own_file.st_ino &&
      now.st_ctim.tv_sec == own_file.st_ctim.tv_sec && now.st_ctim.tv_nsec == own_file.st_ctim.tv_nsec)
    unlink(shim.options.socket_path);
  loop_close(&listener);
}
