/* The wire format between a shim and its clients. docs/shim-protocol.md describes it byte for byte. */
#ifndef SHIM_PROTOCOL_H
#define SHIM_PROTOCOL_H

#include <stdint.h>

#define PROTOCOL_MIN 1
#define PROTOCOL_MAX 1
#define PROTOCOL_MAGIC "SLWY"

/* Header: type u8, flags u8, session u16, length u32, little endian. */
#define HEADER_SIZE 8
#define MAX_PAYLOAD 65536

enum frame_type {
  /* shim to client */
  FRAME_HELLO = 0x01,
  FRAME_STATE = 0x02,
  FRAME_FAILED = 0x03,
  FRAME_DATA = 0x04,
  FRAME_END = 0x05,
  FRAME_ERROR = 0x06,
  FRAME_EXEC_STARTED = 0x07,
  FRAME_EXEC_FAILED = 0x08,
  FRAME_EXEC_EXIT = 0x09,
  FRAME_ATTACHED = 0x0a,
  /* client to shim */
  FRAME_CLIENT_HELLO = 0x40,
  FRAME_STDIN = 0x41,
  FRAME_STDIN_EOF = 0x42,
  FRAME_RESIZE = 0x43,
  FRAME_EXEC = 0x44,
  FRAME_RELEASE = 0x45,
};

enum role { ROLE_NONE = 0, ROLE_CONTROL = 1, ROLE_ATTACH = 2, ROLE_EXEC = 3 };

enum stream_bit { STREAM_STDIN = 1, STREAM_STDOUT = 2, STREAM_STDERR = 4 };

enum phase { PHASE_STARTING = 0, PHASE_RUNNING = 1, PHASE_EXITED = 2, PHASE_FAILED = 3 };

enum exec_flag { EXEC_TERMINAL = 1, EXEC_STDIN = 2 };

enum error_code {
  ERROR_SPILL_LIMIT = 1,
  ERROR_SPILL_IO = 2,
  ERROR_BAD_REQUEST = 3,
  ERROR_NO_SESSION = 4,
};

static inline void put_u16(uint8_t *to, uint16_t value) {
  to[0] = (uint8_t)value;
  to[1] = (uint8_t)(value >> 8);
}

static inline void put_u32(uint8_t *to, uint32_t value) {
  put_u16(to, (uint16_t)value);
  put_u16(to + 2, (uint16_t)(value >> 16));
}

static inline void put_u64(uint8_t *to, uint64_t value) {
  put_u32(to, (uint32_t)value);
  put_u32(to + 4, (uint32_t)(value >> 32));
}

static inline uint16_t get_u16(const uint8_t *from) {
  return (uint16_t)(from[0] | (from[1] << 8));
}

static inline uint32_t get_u32(const uint8_t *from) {
  return (uint32_t)get_u16(from) | ((uint32_t)get_u16(from + 2) << 16);
}

#endif
