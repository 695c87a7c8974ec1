/* The socket over which an OCI runtime hands the master of a terminal (SCM_RIGHTS). */
#ifndef SHIM_CONSOLE_H
#define SHIM_CONSOLE_H

/* A listening unix socket at `path`, replacing what is there; -1 with errno. */
int console_listen(const char *path);
/* The descriptor that the next connection brings, or -1. */
int console_receive(int listener);

#endif
