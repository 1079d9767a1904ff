/* The request to a delivery agent: the message's envelope and bytes, and the recipients of a batch.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QMGR_DELIVERY_REQUEST_H
#define TAMBO_QMGR_DELIVERY_REQUEST_H

#include "qmgr/schedule.h"
#include "queue/reader.h"
#include "service/delivery.h"

struct delivery_content {
	struct queue_message message;
	struct buf bytes; /* small content */
	int fd;           /* large content, or -1 */
};

/* Reads the message at position: 0 or -errno. Yields. */
int delivery_content_open(const struct queue_position *position,
	struct delivery_content *ret_content);
void delivery_content_close(struct delivery_content *content);
/* Spans point into content and batch; ret_request->recipients is to be freed. */
void delivery_request_fill(const struct delivery_content *content, const struct batch *batch,
	int64_t active_ms, struct delivery_request *ret_request);

#endif
