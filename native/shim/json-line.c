#define _GNU_SOURCE
#include "json-line.h"

#include <string.h>
#include <time.h>

static const char hex[] = "0123456789abcdef";

/* 0: copied as it is; 1: escaped; 2: the first byte of a multi-byte sequence, or an invalid one. */
static const uint8_t class_of[256] = {
    [0 ... 31] = 1, ['"'] = 1, ['\\'] = 1, ['<'] = 1, ['>'] = 1, ['&'] = 1, [128 ... 255] = 2,
};

/* Length of the valid UTF-8 sequence at `text`, or 0: the ranges of the Unicode standard, table 3-7. */
static size_t sequence_length(const uint8_t *text, size_t size) {
  uint8_t first = text[0];
  uint8_t low = 0x80, high = 0xbf;
  size_t length;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (size < length || text[1] < low || text[1] > high) return 0;
  for (size_t i = 2; i < length; i++)
    if (text[i] < 0x80 || text[i] > 0xbf) return 0;
  return length;
}

static char *escape_ascii(char *to, uint8_t byte) {
  *to++ = '\\';
  switch (byte) {
  case '\n':
    *to++ = 'n';
    break;
  case '\r':
    *to++ = 'r';
    break;
  case '"':
  case '\\':
    *to++ = (char)byte;
    break;
  default: /* also tab, and < > & as Docker's encoder does */
    memcpy(to, "u00", 3);
    to[3] = hex[byte >> 4];
    to[4] = hex[byte & 15];
    to += 5;
  }
  return to;
}

/* Whether any of eight bytes is not copied as it is: below 0x20, above 0x7f or one of " \ < > &. */
static int needs_care(uint64_t word) {
  const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
#define HAS(byte) (((word ^ (ones * (byte))) - ones) & ~(word ^ (ones * (byte))))
  uint64_t found = word | (word - ones * 0x20) | HAS('"') | HAS('\\') | HAS('<') | HAS('>') | HAS('&');
#undef HAS
  return (found & tops) != 0;
}

static char *escape_stray(char *to, uint8_t byte, int keep_bytes) {
  if (!keep_bytes) {
    memcpy(to, "\\ufffd", 6);
  } else {
    memcpy(to, "\\udc", 4);
    to[4] = hex[byte >> 4];
    to[5] = hex[byte & 15];
  }
  return to + 6;
}

size_t json_escape(char *to, const uint8_t *text, size_t size, int keep_bytes) {
  char *start = to;
  size_t at = 0;
  while (at < size) {
    while (at + 8 <= size) {
      uint64_t word;
      memcpy(&word, text + at, 8);
      memcpy(to, &word, 8);
      if (needs_care(word)) break;
      to += 8;
      at += 8;
    }
    if (at >= size) break;
    uint8_t byte = text[at];
    if (class_of[byte] == 0) {
      *to++ = (char)byte;
      at++;
    } else if (class_of[byte] == 1) {
      to = escape_ascii(to, byte);
      at++;
    } else {
      size_t length = sequence_length(text + at, size - at);
      if (length == 0) {
        to = escape_stray(to, byte, keep_bytes);
        at++;
      } else if (length == 3 && byte == 0xe2 && text[at + 1] == 0x80 && (text[at + 2] & 0xfe) == 0xa8) {
        /* U+2028 and U+2029 end a line in JavaScript. */
        memcpy(to, "\\u202", 5);
        to[5] = hex[text[at + 2] & 15];
        to += 6;
        at += 3;
      } else {
        memcpy(to, text + at, length);
        to += length;
        at += length;
      }
    }
  }
  return (size_t)(to - start);
}

size_t json_time(char *to, uint64_t ns) {
  static time_t cached_second = -1;
  static char cached[24];
  time_t second = (time_t)(ns / 1000000000u);
  uint32_t fraction = (uint32_t)(ns % 1000000000u);
  if (second != cached_second) {
    struct tm utc;
    gmtime_r(&second, &utc);
    strftime(cached, sizeof cached, "\"%Y-%m-%dT%H:%M:%S", &utc);
    cached_second = second;
  }
  char *start = to;
  memcpy(to, cached, 20);
  to += 20;
  if (fraction) {
    *to++ = '.';
    for (int i = 8; i >= 0; i--) {
      to[i] = (char)('0' + fraction % 10);
      fraction /= 10;
    }
    int digits = 9;
    while (to[digits - 1] == '0') digits--;
    to += digits;
  }
  *to++ = 'Z';
  *to++ = '"';
  return (size_t)(to - start);
}
