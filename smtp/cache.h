/* Connections kept open for a few seconds after a message, for the next one to the same
 * destination.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_CACHE_H
#define TAMBO_SMTP_CACHE_H

#include "smtp/connection.h"

/* key: the next hop as written, and whatever else makes connections differ. */

/* The connection kept last for key, or NULL. The caller checks that it lives (RSET). */
struct connection *cache_take(struct span key);
/* Keeps the connection, or ends it when it may not be used again. */
void cache_give(struct span key, struct connection *connection_take);
/* Ends them all, without waiting. */
void cache_close(void);

#endif
