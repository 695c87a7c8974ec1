/* Whether the kernel killed something of the container for its memory. */
#ifndef SHIM_OOM_H
#define SHIM_OOM_H

/*
 * From now on also notices kills in a scope of systemd, which takes an empty cgroup away with its counts, at times before they are
 * read. To be called once the container runs.
 */
void oom_watch(void);
/* After the container ended. */
int oom_happened(void);

#endif
