/* What the shim leaves on disk: where it is (for a daemon that comes back) and how the container ended. */
#ifndef SHIM_STATE_H
#define SHIM_STATE_H

#include "session.h"

#define PATH_SIZE 4096

/* BUNDLE/shim.json. */
void state_write(const struct session *session);
/* Takes the room that the exit record will need, so that a disk that fills up meanwhile cannot hold it up. */
void state_reserve(void);
/* Reads OOM kills from the cgroups and writes the exit record; again later when the disk is full. */
void state_exit(const struct session *session);

#endif
