/* Children: the OCI runtime, the container's processes, and orphans that come to us as subreaper. */
#ifndef SHIM_REAP_H
#define SHIM_REAP_H

/* Takes SIGCHLD through a descriptor. 0 or -1. */
int reap_init(void);

#endif
