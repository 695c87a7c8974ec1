#define _GNU_SOURCE
#include "namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
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

/* The number of the mount that `/` lies on; a bind mount of the root has the root's device and inode, too. -1 where it cannot be told. */
static long root_mount(int infos) {
  char name[16], text[256];
  int root = open("/", O_PATH | O_CLOEXEC);
  snprintf(name, sizeof name, "%d", root);
  int info = openat(infos, name, O_RDONLY | O_CLOEXEC);
  ssize_t size = info < 0 ? -1 : read(info, text, sizeof text - 1);
  if (info >= 0) close(info);
  if (size < 0) return -1;
  text[size] = 0;
  const char *found = strstr(text, "mnt_id:");
  return found ? strtol(found + strlen("mnt_id:"), NULL, 10) : -1;
}

/* Whoever enters a mount namespace, even its own, gets that namespace's root: a chroot ends there. */
int namespaces_is_chroot(void) {
  /* Open from now on: the /proc behind the chroot may be another one. */
  int infos = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  long before = root_mount(infos);
  if (fd < 0 || before < 0 || setns(fd, CLONE_NEWNS) < 0) return 2;
  long after = root_mount(infos);
  if (after < 0) return 2;
  return before == after ? 0 : 1;
}
