/* Addresses that lead elsewhere: one new message for each sender, through cleanup, with
 * Delivered-To: in front. What cleanup took is durable there, so the recipient is done with here.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "local/header.h"
#include "local/local.h"
#include "service/cleanup.h"
#include "task/file.h"

#define CONNECT_MS 30000
#define EXCHANGE_MS 300000
#define RECIPIENTS_AT_ONCE 500

void deliver_forward(struct delivery *delivery, const struct target *from, struct span address)
{
	if (header_has_delivered_to(delivery->header, address)) {
		delivery_end(delivery, from, DELIVERY_BOUNCED, "5.4.6", "mail forwarding loop for %.*s",
			SPAN_ARGS(address));
		return;
	}
	if (delivery->forward_count >= LOCAL_FORWARDS_MAX) {
		delivery_end(delivery, from, DELIVERY_DEFERRED, "4.3.5", "too many addresses");
		return;
	}
	for (size_t i = 0; i < delivery->forward_count && i < 1000; i++)
		if (span_equal_nocase(delivery->forwards[i].address, address)
			&& span_equal(delivery->forwards[i].sender, from->sender))
			return;
	if (delivery->forward_count == delivery->forward_room) {
		size_t room = delivery->forward_room == 0 ? 16 : delivery->forward_room * 2;
		delivery->forwards = arena_grow(delivery->arena, delivery->forwards,
			delivery->forward_count, room, sizeof(*delivery->forwards));
		delivery->forward_room = room;
	}
	if (delivery->forwards != NULL)
		delivery->forwards[delivery->forward_count++] =
			(struct forward_address){address, from->sender};
}

static int send_bytes(struct channel *channel, struct span bytes, task_time deadline)
{
	int error = 0;
	while (error == 0 && bytes.len > 0) {
		struct cleanup_chunk chunk = {span_head(bytes, CLEANUP_CHUNK_MAX)};
		bytes = span_skip(bytes, chunk.bytes.len);
		error = channel_send(channel, &cleanup_chunk_type, &chunk);
		if (error == 0 && channel_unsent(channel) > 4 * CLEANUP_CHUNK_MAX)
			error = channel_flush(channel, deadline);
	}
	return error;
}

static int send_file(struct channel *channel, const struct delivery_request *request,
	task_time deadline)
{
	char *bytes = memory_alloc(CLEANUP_CHUNK_MAX);
	uint64_t done = 0;
	int error = 0;
	while (error == 0 && done < request->size) {
		uint64_t left = request->size - done;
		size_t want = left < CLEANUP_CHUNK_MAX ? (size_t)left : CLEANUP_CHUNK_MAX;
		ssize_t got = task_read_at(
			request->content_fd, bytes, want, request->content_offset + done);
		if (got <= 0)
			error = got < 0 ? (int)got : -EIO;
		else
			error = send_bytes(channel, span_new(bytes, (size_t)got), deadline);
		done += got > 0 ? (uint64_t)got : 0;
	}
	free(bytes);
	return error;
}

static int send_recipients(
	struct channel *channel, struct cleanup_recipient *recipients, size_t count)
{
	int error = 0;
	for (size_t at = 0; error == 0 && at < count; at += RECIPIENTS_AT_ONCE) {
		struct cleanup_recipients message = {recipients + at,
			count - at < RECIPIENTS_AT_ONCE ? count - at : RECIPIENTS_AT_ONCE};
		error = channel_send(channel, &cleanup_recipients_type, &message);
	}
	return error;
}

static int send_content(struct delivery *delivery, const struct target *target,
	struct channel *channel, task_time deadline)
{
	const struct delivery_request *request = delivery->request;
	struct buf headers = BUF_INIT(8192);
	header_write(false, SPAN_EMPTY, SPAN_EMPTY, target->address, &headers);
	int error = send_bytes(channel, buf_span(&headers), deadline);
	buf_done(&headers);
	if (error == 0)
		error = request->content_fd >= 0 ? send_file(channel, request, deadline)
			: send_bytes(channel, request->content, deadline);
	struct cleanup_end end = {.discard = false};
	return error == 0 ? channel_send(channel, &cleanup_end_type, &end) : error;
}

static struct cleanup_open make_open(const struct delivery *delivery, struct span sender)
{
	const struct delivery_request *request = delivery->request;
	bool same_sender = span_equal(sender, request->sender);
	struct cleanup_open open = cleanup_open_from(CLEANUP_FROM_LOCAL);
	open.flags = ((request->flags & DELIVERY_SMTPUTF8) != 0 ? CLEANUP_SMTPUTF8 : 0U)
		| ((request->flags & DELIVERY_8BITMIME) != 0 ? CLEANUP_8BITMIME : 0U);
	open.sender = sender;
	open.envid = same_sender ? request->envid : SPAN_EMPTY;
	open.dsn_return = same_sender ? request->dsn_return : 0;
	open.size_hint = request->size;
	open.original_queue_id = request->queue_id;
	return open;
}

/* DURABLE: cleanup's OK means that the new message is in the journal. */
static int exchange(struct delivery *delivery, const struct target *target, struct channel *channel,
	struct cleanup_recipient *recipients, size_t count, struct cleanup_result *ret_result)
{
	task_time deadline = task_deadline(EXCHANGE_MS);
	struct cleanup_open open = make_open(delivery, target->sender);
	struct cleanup_ready *ready;
	struct cleanup_result *result;
	int error = channel_expect(channel, &cleanup_ready_type, deadline, (void **)&ready);
	if (error == 0)
		error = channel_send(channel, &cleanup_open_type, &open);
	if (error != 0)
		return error;
	error = send_recipients(channel, recipients, count);
	if (error == 0)
		error = send_content(delivery, target, channel, deadline);
	if (error == 0)
		error = channel_expect(channel, &cleanup_result_type, deadline, (void **)&result);
	if (error == 0) {
		*ret_result = *result;
		ret_result->queue_id = arena_dup(delivery->arena, result->queue_id);
		ret_result->text = arena_dup(delivery->arena, result->text);
		ret_result->code = arena_dup(delivery->arena, result->code);
	}
	return error;
}

static void end(struct delivery *delivery, const struct target *target, int error,
	const struct cleanup_result *result)
{
	if (error != 0) {
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0", "cannot forward: %s",
			strerror(-error));
		return;
	}
	switch ((enum cleanup_status)result->status) {
	case CLEANUP_OK:
		delivery_end(delivery, target, DELIVERY_EXPANDED, "2.0.0", "forwarded as %.*s",
			SPAN_ARGS(result->queue_id));
		return;
	case CLEANUP_TOO_MANY_HOPS:
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.4.6", "too many hops");
		return;
	case CLEANUP_TOO_BIG:
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.3.4",
			"cannot forward: message too big");
		return;
	case CLEANUP_REJECTED:
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.7.1", "cannot forward: %.*s",
			SPAN_ARGS(result->text));
		return;
	case CLEANUP_NO_SPACE:
	case CLEANUP_QUEUE_ERROR:
	case CLEANUP_NO_RECIPIENT:
		break;
	}
	delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0", "cannot forward: %.*s",
		SPAN_ARGS(result->text));
}

/* All addresses with one sender. True: cleanup has them. */
static bool forward_group(struct delivery *delivery, const struct target *target,
	struct cleanup_recipient *recipients, size_t count)
{
	struct cleanup_result result = {.status = CLEANUP_QUEUE_ERROR, .text = SPAN_EMPTY};
	struct channel *channel = daemon_pool_take(local.cleanup, task_deadline(CONNECT_MS));
	int error = channel == NULL ? -ECONNREFUSED
		: exchange(delivery, target, channel, recipients, count, &result);
	if (channel != NULL && error == 0)
		daemon_pool_give(local.cleanup, channel);
	else
		channel_free(channel);
	end(delivery, target, error, &result);
	return error == 0 && result.status == CLEANUP_OK;
}

void forward_all(struct delivery *delivery, const struct target *target)
{
	size_t count = delivery->forward_count;
	struct cleanup_recipient *group = arena_array(delivery->arena, count, sizeof(*group));
	bool *done = arena_array(delivery->arena, count, sizeof(*done));
	if (group == NULL || done == NULL)
		return; /* the arena's overflow is told by the caller */
	for (size_t i = 0; i < count; i++) {
		struct target from = *target;
		size_t members = 0;
		bool before = false;
		if (done[i])
			continue;
		from.sender = delivery->forwards[i].sender;
		for (size_t k = i; k < count; k++) {
			if (done[k] || !span_equal(delivery->forwards[k].sender, from.sender))
				continue;
			done[k] = true;
			if (forwarded_before(delivery, &delivery->forwards[k])) {
				before = true;
				continue;
			}
			/* What the sender asked to be told (RFC 3461 5.2.7) ends at the alias, but failures. */
			group[members++] = (struct cleanup_recipient){delivery->forwards[k].address,
				SPAN_EMPTY, delivery->recipient->notify == DSN_NEVER ? DSN_NEVER : 0U};
		}
		if (members > 0 && forward_group(delivery, &from, group, members))
			forwarded_note(delivery, from.sender, group, members);
		else if (members == 0 && before)
			delivery_end(delivery, &from, DELIVERY_EXPANDED, "2.0.0",
				"forwarded at an earlier try");
	}
}
