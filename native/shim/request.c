#define _GNU_SOURCE
#include "request.h"

#include <string.h>

#include "log-file.h"
#include "runtime.h"

#define STATE_SIZE 48

static size_t encode_state(uint8_t to[STATE_SIZE]) {
  const struct session *session = session_find(0);
  memset(to, 0, STATE_SIZE);
  to[0] = (uint8_t)shim.phase;
  to[1] = (uint8_t)((shim.oom_killed ? 1 : 0) | (shim.options.terminal ? 2 : 0) | (shim.record_written ? 4 : 0));
  put_u32(to + 4, session ? (uint32_t)session->pid : 0);
  put_u64(to + 8, session ? session->ticks : 0);
  put_u32(to + 16, (uint32_t)shim.exit_code);
  put_u32(to + 20, (uint32_t)shim.exit_signal);
  put_u64(to + 24, shim.exited_at_ns);
  put_u64(to + 32, log_lost_lines());
  return STATE_SIZE;
}

static void send_state(struct client *client) {
  uint8_t state[STATE_SIZE];
  client_send(client, FRAME_STATE, 0, 0, state, encode_state(state));
}

void clients_state(void) {
  for (struct client *client = shim.clients; client; client = client->next)
    if (client->role == ROLE_CONTROL) send_state(client);
}

void clients_session_ended(const struct session *session) {
  uint8_t payload[8];
  put_u32(payload, (uint32_t)session->exit_code);
  put_u32(payload + 4, (uint32_t)session->exit_signal);
  for (struct client *client = shim.clients; client; client = client->next) {
    if (client->role == ROLE_CONTROL && session->id != 0)
      client_send(client, FRAME_EXEC_EXIT, 0, session->id, payload, sizeof payload);
    if (client->attached && client->session == session->id) {
      client_send(client, FRAME_END, 0, session->id, payload, sizeof payload);
      client_end(client);
    }
  }
}

void clients_failed(const struct session *session, int status, const char *text, size_t size) {
  uint8_t payload[4 + RUNTIME_TEXT_MAX];
  put_u32(payload, (uint32_t)status);
  memcpy(payload + 4, text, size);
  for (struct client *client = shim.clients; client; client = client->next) {
    if (session->id == 0 && client->role == ROLE_CONTROL) client_send(client, FRAME_FAILED, 0, 0, payload, 4 + size);
    if (client->attached && client->session == session->id) {
      if (client->role == ROLE_EXEC) client_send(client, FRAME_EXEC_FAILED, 0, session->id, payload, 4 + size);
      client_end(client);
    }
  }
}

void clients_exec_started(const struct session *session) {
  uint8_t payload[16] = {0};
  put_u32(payload, (uint32_t)session->pid);
  put_u64(payload + 8, session->ticks);
  for (struct client *client = shim.clients; client; client = client->next)
    if (client->role == ROLE_EXEC && client->session == session->id)
      client_send(client, FRAME_EXEC_STARTED, 0, session->id, payload, sizeof payload);
}

static void attach(struct client *client, uint16_t id) {
  struct session *session = session_find(id);
  if (!session) {
    client_cut(client, ERROR_NO_SESSION);
    return;
  }
  client->session = id;
  client_send(client, FRAME_ATTACHED, 0, id, NULL, 0);
  if (session->phase == PHASE_EXITED || session->phase == PHASE_FAILED) {
    uint8_t payload[8];
    put_u32(payload, (uint32_t)session->exit_code);
    put_u32(payload + 4, (uint32_t)session->exit_signal);
    client_send(client, FRAME_END, 0, id, payload, sizeof payload);
    client_end(client);
    return;
  }
  client->attached = 1;
  client->stdin_open = (client->streams & STREAM_STDIN) != 0;
}

/* magic, version u16, role u8, streams u8 */
static int greet(struct client *client, uint16_t session, const uint8_t *payload, size_t size) {
  if (client->role != ROLE_NONE || size < 8 || memcmp(payload, PROTOCOL_MAGIC, 4) != 0) return -1;
  uint16_t version = get_u16(payload + 4);
  if (version < PROTOCOL_MIN || version > PROTOCOL_MAX) return -1;
  client->role = payload[6];
  client->streams = payload[7];
  if (client->role == ROLE_CONTROL) send_state(client);
  else if (client->role == ROLE_ATTACH) attach(client, session);
  else if (client->role != ROLE_EXEC) return -1;
  return 0;
}

/* rows u16, columns u16, path of the process document */
static int exec(struct client *client, uint8_t flags, const uint8_t *payload, size_t size) {
  if (client->role != ROLE_EXEC || client->attached || size < 5) return -1;
  char path[MAX_REQUEST + 1];
  memcpy(path, payload + 4, size - 4);
  path[size - 4] = 0;
  runtime_exec(client, flags, get_u16(payload), get_u16(payload + 2), path);
  return 0;
}

static void resize(uint16_t id, const uint8_t *payload) {
  struct session *session = session_find(id);
  if (session) session_resize(session, get_u16(payload), get_u16(payload + 2));
}

static void end_stdin(struct client *client) {
  struct session *session = session_find(client->session);
  if (client->stdin_open && session) session_stdin_end(session);
  client->stdin_open = 0;
}

void request_handle(struct client *client, const uint8_t *header, const uint8_t *payload, size_t size) {
  uint16_t session = get_u16(header + 2);
  int wrong = 0;
  switch (header[0]) {
  case FRAME_CLIENT_HELLO:
    wrong = greet(client, session, payload, size);
    break;
  case FRAME_STDIN_EOF:
    end_stdin(client);
    break;
  case FRAME_RESIZE:
    if (size < 4) wrong = -1;
    else resize(session, payload);
    break;
  case FRAME_EXEC:
    wrong = exec(client, header[1], payload, size);
    break;
  case FRAME_RELEASE:
    if (shim.phase == PHASE_EXITED) shim.released = 1;
    break;
  default:
    wrong = -1;
  }
  if (wrong) client_cut(client, ERROR_BAD_REQUEST);
}
