/* Calls the OCI runtime, and follows it until the process runs or did not start. */
#ifndef SHIM_RUNTIME_H
#define SHIM_RUNTIME_H

#include "client.h"

#define RUNTIME_TEXT_MAX 16384

/* Starts `run --detach` for the container's own process. 0 or -1 with errno. */
int runtime_run(struct session *session);
/* Starts `exec --detach`; the client hears what comes of it. `process` is the path of the process document. */
void runtime_exec(struct client *client, uint8_t flags, uint16_t rows, uint16_t columns, const char *process);
/* The runtime of this session ended with `status` (of wait). */
void runtime_ended(struct session *session, int status);

#endif
