/*
 * `slipway-shim --namespaces [USER_NAMESPACE]`: holds a new user namespace (or the one at that path) and a network namespace that
 * belongs to it, until the daemon has them.
 */
#ifndef SHIM_NAMESPACES_H
#define SHIM_NAMESPACES_H

/* Says one byte on descriptor 3 when they are made (else why not), waits for its end. Returns an exit code. */
int namespaces_hold(const char *existing);

/* `slipway-shim --is-chroot`: exit code 0 when `/` is the root of the mount namespace, 1 when it lies below, 2 when that cannot be told. */
int namespaces_is_chroot(void);

#endif
