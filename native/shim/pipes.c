#define _GNU_SOURCE
#include "pipes.h"

#include <fcntl.h>
#include <unistd.h>

#include "shim.h"

static int has_user_namespace(void) { return shim.options.root_uid != 0 || shim.options.root_gid != 0; }

int pipe_open(int ends[2], int ours) {
  if (pipe2(ends, O_CLOEXEC) < 0) return -1;
  /* Programs open /dev/stdout anew, which only the owner of a pipe may. */
  if (has_user_namespace() && fchown(ends[0], shim.options.root_uid, shim.options.root_gid) < 0) return -1;
  return ours < 0 ? 0 : fcntl(ends[ours], F_SETFL, O_NONBLOCK);
}

/*
 * Runtimes give all three descriptors to the container's user. /dev/null would be the host's device, in hands that could close it to
 * everybody else: a pipe that has ended reads the same.
 */
int pipe_open_unused(int child[3], int terminal) {
  int ends[2];
  if (!has_user_namespace()) return 0;
  if (pipe_open(ends, -1) < 0) return -1;
  child[0] = ends[0];
  if (!terminal) return close(ends[1]);
  /* Nobody reads what a runtime says here; its read end in `child` keeps it from a broken pipe. */
  child[1] = ends[1];
  child[2] = fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
  return child[2] < 0 ? -1 : 0;
}
