/* The json-file log: lines, pieces of long lines, rotation, and what happens when the disk is full. */
#ifndef SHIM_LOG_FILE_H
#define SHIM_LOG_FILE_H

#include <stddef.h>
#include <stdint.h>

/* 0, or -1 with errno. */
int log_open(void);
/* `stream` is 0 for stdout, 1 for stderr. Takes everything; whole lines are in the file when it returns, unless the disk is full. */
void log_write(int stream, const uint8_t *data, size_t size);
/* The stream ended: writes a last line that has no newline. */
void log_end(int stream);
/* Milliseconds until log_look is due, or -1. */
int log_retry_in(void);
void log_retry(void);
/* Whether the container's output is to be left unread for now: too much of it waits to be sent on. Looked at again by log_look. */
int log_is_held(void);
/* What is due by time. */
void log_look(void);
/* Lines that a full disk, or a receiver that took nothing, cost so far. */
uint64_t log_lost_lines(void);

#endif
