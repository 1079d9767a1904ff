/* The one line that every delivery agent logs for each recipient, in Postfix's form:
 * "QID: to=<R>, orig_to=<O>, relay=H, conn_use=N, delay=D, delays=a/b/c/d, dsn=X, status=S (TEXT)".
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_DELIVERY_LOG_H
#define TAMBO_SERVICE_DELIVERY_LOG_H

#include "service/delivery.h"

/* Wall clock, milliseconds. */
struct delivery_times {
	int64_t arrival_ms, active_ms; /* of the request */
	int64_t start_ms;     /* the agent took the request */
	int64_t connected_ms; /* connection set up; 0: there was none (c is then 0) */
	int64_t done_ms;
};

/* soft_bounce=yes: a line for a bounce says SOFTBOUNCE, as qmgr will make a deferral of it. */
extern bool delivery_log_soft_bounce;
/* relay: "none", "local", "mx.example[192.0.2.1]:25"; connection_use: shown above 1. */
void delivery_log(const struct delivery_request *request,
	const struct delivery_recipient *recipient, const char *relay, unsigned connection_use,
	const struct delivery_times *times, const struct delivery_outcome *outcome);
/* Appends a duration as "0", "0.05", "1.2", "37": two digits, at most two behind the point. */
void delivery_delay_format(int64_t ms, struct buf *out);

#endif
