#define _GNU_SOURCE
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAEMON_FD 3

static int enter(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? -1 : setns(fd, CLONE_NEWUSER);
}

/*
 * A process with threads, as the daemon is, can neither make nor enter a user namespace. This one does, and makes the network
 * namespace from inside, which the kernel then counts to it: whoever is root in the one may set up the other. The daemon writes the
 * map of ids and opens both under /proc; they live on by its descriptors.
 */
int namespaces_hold(const char *existing) {
  char byte = 'y';
  int failed = existing ? enter(existing) : unshare(CLONE_NEWUSER);
  if (failed || unshare(CLONE_NEWNET) < 0) {
    dprintf(DAEMON_FD, "%s", strerror(errno));
    return 1;
  }
  if (write(DAEMON_FD, &byte, 1) != 1) return 1;
  while (read(DAEMON_FD, &byte, 1) < 0 && errno == EINTR)
    ;
  return 0;
}
