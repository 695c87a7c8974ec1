/* Encodes one piece of a log line as Docker's json-file driver does, byte for byte. */
#ifndef SHIM_JSON_LINE_H
#define SHIM_JSON_LINE_H

#include <stddef.h>
#include <stdint.h>

/* The longest encoding of `size` bytes of text, framing excluded: every byte may become six. */
#define JSON_WORST(size) ((size) * 6)

/*
 * Writes `size` bytes of text without quotes around; returns the length. Bytes that are no UTF-8 become U+FFFD as in Docker, or,
 * with `keep_bytes`, the lone surrogate U+DC00 + byte: no valid text has one, so that a reader gets the byte back.
 */
size_t json_escape(char *to, const uint8_t *text, size_t size, int keep_bytes);
/* Writes `"2006-01-02T15:04:05.999999999Z"` with quotes, trailing zeros of the fraction dropped as Go does; at most 34 bytes. */
size_t json_time(char *to, uint64_t ns);

#endif
