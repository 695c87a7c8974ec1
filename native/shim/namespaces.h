/*
 * `slipway-shim --namespaces [USER_NAMESPACE]`: holds a new user namespace (or the one at that path) and a network namespace that
 * belongs to it, until the daemon has them.
 */
#ifndef SHIM_NAMESPACES_H
#define SHIM_NAMESPACES_H

/* Says one byte on descriptor 3 when they are made (else why not), waits for its end. Returns an exit code. */
int namespaces_hold(const char *existing);

#endif
