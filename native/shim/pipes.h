/* Pipes between the shim and what it starts. */
#ifndef SHIM_PIPES_H
#define SHIM_PIPES_H

/* `ours` (0 or 1) is the end that the shim keeps, without blocking. The container's root becomes the owner. Returns -1 on failure. */
int pipe_open(int ends[2], int ours);

/*
 * Descriptors for a start without stdin (or, with a terminal, without any): with the host's users none, which leaves /dev/null; with
 * a user namespace pipes that have ended. Returns -1 on failure.
 */
int pipe_open_unused(int child[3], int terminal);

#endif
