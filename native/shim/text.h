/* Small files and numbers, without stdio. */
#ifndef SHIM_TEXT_H
#define SHIM_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a whole small file, zero-terminated; returns its length or -1. */
ssize_t read_small(const char *path, char *to, size_t size);
/* Writes a small file in place; 0 or -1. */
int write_small(const char *path, const char *data, size_t size);
/* Writes beside `path` and renames; 0 or -1. */
int write_atomic(const char *path, const char *data, size_t size);
/* Field 22 of /proc/PID/stat, in clock ticks; 0 when the process is gone. */
uint64_t start_ticks(pid_t pid);
uint64_t now_ns(void);

#endif
