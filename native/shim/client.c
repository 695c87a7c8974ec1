#define _GNU_SOURCE
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "request.h"

static void on_client(struct source *source, uint32_t events);

static void send_hello(struct client *client) {
  uint8_t hello[8];
  memcpy(hello, PROTOCOL_MAGIC, 4);
  put_u16(hello + 4, PROTOCOL_MIN);
  put_u16(hello + 6, PROTOCOL_MAX);
  client_send(client, FRAME_HELLO, 0, 0, hello, sizeof hello);
}

struct client *client_create(int fd, enum role role, uint8_t streams) {
  struct client *client = calloc(1, sizeof *client);
  if (!client) {
    close(fd);
    return NULL;
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  queue_init(&client->queue);
  client->source.fd = fd;
  client->source.handle = on_client;
  client->role = role;
  client->streams = streams;
  client->attached = role == ROLE_ATTACH;
  client->stdin_open = role == ROLE_ATTACH && (streams & STREAM_STDIN);
  client->next = shim.clients;
  shim.clients = client;
  loop_set(&client->source, EPOLLIN);
  send_hello(client);
  return client;
}

static void client_close(struct client *client) {
  if (client->dead) return;
  client->dead = 1;
  loop_close(&client->source);
  queue_free(&client->queue);
  shim.sweep = 1;
  struct session *session = session_find(client->session);
  if (client->stdin_open && session) session_stdin_end(session);
  client->stdin_open = 0;
}

static void send_cut(struct client *client) {
  static const char *const texts[] = {
      "",
      "the client read too slowly: the limit of output kept for it is reached",
      "the client read too slowly: its output could not be kept on disk",
      "bad request",
      "no such process",
  };
  uint8_t payload[128];
  const char *text = texts[client->cut];
  put_u16(payload, client->cut);
  memcpy(payload + 2, text, strlen(text));
  uint8_t header[HEADER_SIZE] = {FRAME_ERROR};
  put_u32(header + 4, (uint32_t)(2 + strlen(text)));
  client->cut = 0;
  if (queue_send(&client->queue, client->source.fd, header, payload, 2 + strlen(text)) != QUEUE_OK) client_close(client);
}

/* Closes what is finished, and asks for room where bytes wait. */
static void settle(struct client *client) {
  if (client->dead) return;
  if (queue_is_empty(&client->queue) && client->cut) send_cut(client);
  if (client->dead) return;
  if (!queue_is_empty(&client->queue))
    loop_set(&client->source, client->source.events | EPOLLOUT);
  else if (client->ended)
    client_close(client);
  else
    loop_set(&client->source, client->source.events & ~(uint32_t)EPOLLOUT);
}

void client_send(struct client *client, uint8_t type, uint8_t flags, uint16_t session, const void *payload, size_t size) {
  if (client->dead || client->ended || client->hung_up) return;
  uint8_t header[HEADER_SIZE] = {type, flags};
  put_u16(header + 2, session);
  put_u32(header + 4, (uint32_t)size);
  switch (queue_send(&client->queue, client->source.fd, header, payload, size)) {
  case QUEUE_OK:
    if (!queue_is_empty(&client->queue)) settle(client);
    break;
  case QUEUE_PEER_GONE:
    client_close(client);
    break;
  case QUEUE_LIMIT:
    client_cut(client, ERROR_SPILL_LIMIT);
    break;
  case QUEUE_IO:
    client_cut(client, ERROR_SPILL_IO);
    break;
  }
}

void client_end(struct client *client) {
  client->attached = 0;
  client->ended = 1;
  settle(client);
}

void client_cut(struct client *client, uint16_t code) {
  client->cut = code;
  client_end(client);
}

/* Stdin of the process goes on to be fed, whoever attaches: a paused client waits, the process and the others do not. */
static void pause_client(struct client *client) {
  client->paused = 1;
  loop_set(&client->source, client->source.events & ~(uint32_t)EPOLLIN);
}

/* Moves bytes of a stdin frame to the process; 0 when nothing more can be done now. */
static int pump_stdin(struct client *client) {
  struct session *session = session_find(client->session);
  if (session && !session_stdin_ready(session)) {
    pause_client(client);
    return 0;
  }
  size_t want = client->stdin_left < sizeof scratch ? client->stdin_left : sizeof scratch;
  ssize_t n = read(client->source.fd, scratch, want);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) {
    client_close(client);
    return 0;
  }
  client->stdin_left -= (uint32_t)n;
  if (session && client->stdin_open) session_stdin_write(session, scratch, (size_t)n);
  return 1;
}

/* Reads and handles one request, or a part of it; 0 when nothing more can be done now. */
static int pump_request(struct client *client) {
  size_t want = HEADER_SIZE;
  if (client->have >= HEADER_SIZE) want += get_u32(client->request + 4);
  ssize_t n = read(client->source.fd, client->request + client->have, want - client->have);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (n <= 0) {
    client_close(client);
    return 0;
  }
  client->have += (size_t)n;
  if (client->have < HEADER_SIZE) return 1;
  uint32_t size = get_u32(client->request + 4);
  if (client->request[0] == FRAME_STDIN) {
    client->stdin_left = size;
    client->have = 0;
    return 1;
  }
  if (size > MAX_REQUEST) {
    client_cut(client, ERROR_BAD_REQUEST);
    return 0;
  }
  if (client->have < HEADER_SIZE + size) return 1;
  client->have = 0;
  request_handle(client, client->request, client->request + HEADER_SIZE, size);
  return 1;
}

static void pump(struct client *client) {
  while (!client->dead && !client->paused) {
    if (!(client->stdin_left ? pump_stdin(client) : pump_request(client))) break;
  }
}

static void on_client(struct source *source, uint32_t events) {
  struct client *client = (struct client *)((char *)source - offsetof(struct client, source));
  if (events & EPOLLOUT) {
    if (queue_flush(&client->queue, source->fd) != QUEUE_OK) {
      client_close(client);
      return;
    }
    settle(client);
  }
  if (client->dead) return;
  if (client->paused && (events & (EPOLLHUP | EPOLLERR))) {
    /* Gone, but what it sent is not lost: it is read when the process takes it. Nothing can be told to it any more. */
    client->hung_up = 1;
    queue_free(&client->queue);
    loop_set(source, 0);
    return;
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) pump(client);
}

void clients_output(const struct session *session, int stream, const uint8_t *data, size_t size) {
  uint8_t bit = stream == 0 ? STREAM_STDOUT : STREAM_STDERR;
  for (struct client *client = shim.clients; client; client = client->next)
    if (client->attached && client->session == session->id && (client->streams & bit))
      client_send(client, FRAME_DATA, bit, session->id, data, size);
}

void clients_stdin_ready(struct session *session) {
  for (struct client *client = shim.clients; client; client = client->next) {
    if (!client->paused || client->session != session->id) continue;
    if (!session_stdin_ready(session)) return;
    client->paused = 0;
    if (!client->hung_up) loop_set(&client->source, client->source.events | EPOLLIN);
    pump(client);
  }
}

void clients_sweep(void) {
  struct client **at = &shim.clients;
  while (*at) {
    struct client *client = *at;
    if (client->dead) {
      *at = client->next;
      free(client);
    } else {
      at = &client->next;
    }
  }
}
