/* The connections of the daemon and of attachers, and what they ask. */
#ifndef SHIM_CLIENT_H
#define SHIM_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "queue.h"
#include "session.h"

#define MAX_REQUEST 4096

struct client {
  struct client *next;
  struct source source;
  struct queue queue;
  enum role role;
  uint8_t streams;
  uint16_t session;
  int attached; /* gets the output of `session` */
  int stdin_open;
  int paused; /* waits until the process takes its stdin */
  int hung_up;
  int ended; /* closes once the queue is empty */
  int dead;
  uint16_t cut; /* the error to send once the queue is empty */
  uint32_t stdin_left; /* bytes of the current stdin frame still to come */
  size_t have;
  uint8_t request[HEADER_SIZE + MAX_REQUEST];
};

/* A connected client; role and streams are known for those that came with the start. Takes the descriptor. */
struct client *client_create(int fd, enum role role, uint8_t streams);
void client_send(struct client *client, uint8_t type, uint8_t flags, uint16_t session, const void *payload, size_t size);
/* Ends the connection after what is queued. */
void client_end(struct client *client);
/* Ends the connection after what is queued and an error frame. */
void client_cut(struct client *client, uint16_t code);

void clients_output(const struct session *session, int stream, const uint8_t *data, size_t size);
void clients_session_ended(const struct session *session);
/* The process of this session takes stdin again. */
void clients_stdin_ready(struct session *session);
void clients_state(void);
void clients_failed(const struct session *session, int status, const char *text, size_t size);
void clients_exec_started(const struct session *session);
/* Frees those that are gone. */
void clients_sweep(void);

/* The listening socket. 0 or -1 with errno. */
int server_listen(const char *path);
void server_close(void);

#endif
