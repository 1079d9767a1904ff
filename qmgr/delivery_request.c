/* Filling in a request to a delivery agent. Content above DELIVERY_INLINE_MAX travels as a
 * descriptor of a file that holds it and nothing else.
 * SPDX-License-Identifier: ISC */
#include "qmgr/delivery_request.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "qmgr/qmgr.h"

/* Content that the journal holds but a request cannot: into a file of its own, in memory. */
static int copy_to_file(struct delivery_content *content)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	for (size_t at = 0; at < content->bytes.len;) {
		ssize_t count = write(fd, content->bytes.ptr + at, content->bytes.len - at);
		if (count < 0) {
			int error = -errno;
			close(fd);
			return error;
		}
		at += (size_t)count;
	}
	content->fd = fd;
	buf_done(&content->bytes);
	return 0;
}

int delivery_content_open(const struct queue_position *position,
	struct delivery_content *ret_content)
{
	struct delivery_content *content = ret_content;
	*content = (struct delivery_content){.fd = -1};
	int error = queue_message_load(qmgr.reader, position, &content->message);
	if (error < 0)
		return error;
	buf_init(&content->bytes, RECORD_BODY_MAX);
	if (content->message.envelope.flags & QUEUE_LARGE_CONTENT) {
		content->fd = queue_message_open_large(qmgr.reader, &content->message);
		error = content->fd < 0 ? content->fd : 0;
	} else {
		error = queue_message_content(qmgr.reader, &content->message, &content->bytes);
		if (error == 0 && content->bytes.len > DELIVERY_INLINE_MAX)
			error = copy_to_file(content);
	}
	if (error < 0)
		delivery_content_close(content);
	return error;
}

void delivery_content_close(struct delivery_content *content)
{
	if (content->fd >= 0)
		close(content->fd);
	content->fd = -1;
	buf_done(&content->bytes);
	queue_message_done(&content->message);
}

static uint32_t flags_of(uint32_t queue_flags)
{
	return (queue_flags & QUEUE_SMTPUTF8 ? DELIVERY_SMTPUTF8 : 0u) |
		(queue_flags & QUEUE_8BITMIME ? DELIVERY_8BITMIME : 0u) |
		(queue_flags & QUEUE_BOUNCE ? DELIVERY_BOUNCE : 0u);
}

static void fill_recipients(const struct batch *batch, struct delivery_request *request)
{
	request->recipients = memory_zalloc(batch->recipient_count + 1,
		sizeof *request->recipients);
	LIST_FOREACH(node, &batch->recipients) {
		const struct schedule_recipient *recipient =
			LIST_ENTRY(node, struct schedule_recipient, link);
		request->recipients[request->recipient_count++] = (struct delivery_recipient){
			.index = recipient->index,
			.address = recipient->address,
			.original = recipient->original,
			.orcpt = recipient->orcpt,
			.notify = recipient->notify,
		};
	}
}

void delivery_request_fill(const struct delivery_content *content, const struct batch *batch,
	int64_t active_ms, struct delivery_request *ret_request)
{
	const struct queue_envelope *envelope = &content->message.envelope;
	*ret_request = (struct delivery_request){
		.queue_id = envelope->queue_id,
		.transport = span_from_cstr(transport_name(batch->transport)),
		.nexthop = span_from_cstr(destination_nexthop(batch->destination)),
		.sender = envelope->sender,
		.envid = envelope->envid,
		.dsn_return = envelope->dsn_return,
		.flags = flags_of(envelope->flags),
		.arrival_ms = envelope->arrival_ms,
		.active_ms = active_ms,
		.size = envelope->size,
		.client_name = envelope->client_name,
		.client_address = envelope->client_address,
		.client_helo = envelope->helo,
		.client_protocol = envelope->protocol,
		.sasl_method = envelope->sasl_method,
		.sasl_username = envelope->sasl_username,
		.content = content->fd >= 0 ? SPAN_EMPTY : buf_span(&content->bytes),
		.content_fd = content->fd,
	};
	fill_recipients(batch, ret_request);
}
