/*
 * The files of a log. The shim writes LOG; when that is full it becomes LOG.0000000001, LOG.0000000002 and so on: a number is never
 * used twice and a file never changes its name again, so that readers and whoever compresses need no lock.
 */
#ifndef SHIM_LOG_SEGMENTS_H
#define SHIM_LOG_SEGMENTS_H

#include <stdint.h>

/* Once, before the log is written: finds out what is there. */
void segments_open(void);
/* Gives LOG the next number (or deletes it, when one file is all that may be kept); 0, or -1 when it is still there. */
int segments_rotate(void);
/* Takes the last rotation back: no new file could be made. */
void segments_restore(void);
/* Deletes what is beyond the number of files to keep, unless the daemon sends the log on: then it does that. */
void segments_prune(void);
/* Bytes that wait to be sent on, when LOG holds `active_size`; 0 when nobody sends. Looks at the cursor only when `now` is set. */
int64_t segments_unsent(int64_t active_size, int now);

#endif
