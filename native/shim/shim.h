/* The one shim of this process: what every file needs to know of it. */
#ifndef SHIM_H
#define SHIM_H

#include <stdint.h>
#include <sys/types.h>

#include "loop.h"
#include "options.h"
#include "protocol.h"

struct client;
struct session;

struct shim {
  struct options options;
  enum phase phase;
  int exit_code;
  int exit_signal;
  int oom_killed;
  uint64_t exited_at_ns;
  int record_written;
  int released;
  int sweep; /* something waits to be freed after this batch of events */
  int idle_terminals;
  int held_output; /* the container's output is not read for now: log-file.h */
  struct session *sessions; /* the container's own (id 0) is the last of the list */
  struct client *clients;
};

extern struct shim shim;

/* Shared by everything that moves bytes; nothing keeps them across a return to the loop. */
extern uint8_t scratch[MAX_PAYLOAD];

#endif
