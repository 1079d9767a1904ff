/* The bytes of a TLS session between client and worker.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_RELAY_H
#define TAMBO_IMAPD_RELAY_H

#include "net/stream.h"

/* Until either end closes; then closes both. */
void relay_run(struct stream *client_take, int worker_fd_take);

#endif
