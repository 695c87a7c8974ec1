/* What a client's request does, and what the shim tells its clients. */
#ifndef SHIM_REQUEST_H
#define SHIM_REQUEST_H

#include "client.h"

void request_handle(struct client *client, const uint8_t *header, const uint8_t *payload, size_t size);

#endif
