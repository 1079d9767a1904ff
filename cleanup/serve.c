/* One internal peer: messages from smtpd and local; from qmgr also bounces to compose and word of
 * dead records. What may come when is the table below; anything else ends the channel, and the
 * message it carried is dropped.
 * SPDX-License-Identifier: ISC */
#include "cleanup/serve.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "cleanup/bounce.h"
#include "cleanup/intake.h"
#include "cleanup/settings.h"
#include "daemon/daemon.h"
#include "service/qmgr.h"

#define TRANSACTION_MS                                                                             \
	(3600 * 1000) /* a peer that waits for its client; it has its own, shorter limits */
#define REPLY_MS 60000

static int send_result(struct channel *channel, const struct intake *intake)
{
	struct cleanup_result result = {.status = intake->status,
		.queue_id = span_from_cstr(intake->queue_id),
		.code = span_from_cstr(intake->code),
		.text = span_from_cstr(intake->text),
		.size = intake->envelope.size};
	return channel_send(channel, &cleanup_result_type, &result);
}

/* The id of the next message goes out together with the result of the last one. */
static int send_ready(struct channel *channel, char ret_queue_id[QUEUE_ID_MAX])
{
	struct cleanup_ready ready = {.status = intake_prepare(ret_queue_id),
		.queue_id = span_from_cstr(ret_queue_id),
		.since_ms = task_now()};
	int error = channel_send(channel, &cleanup_ready_type, &ready);
	return error != 0 ? error : channel_flush(channel, task_deadline(REPLY_MS));
}

/* RECIPIENTS* CHUNK* END. Recipients may not come behind content. 0: END came. */
static int receive_message(struct channel *channel, struct intake *intake, bool *ret_discard)
{
	static const struct message_type *const types[] = {
		&cleanup_chunk_type, &cleanup_end_type, &cleanup_recipients_type};
	size_t allowed = 3, which;
	for (;;) {
		void *message;
		struct buf *room = intake_room(intake);
		size_t before = room == NULL ? 0 : room->len;
		channel_receive_into(channel, room == NULL ? NULL : &cleanup_chunk_type, room);
		int error = channel_receive(
			channel, types, allowed, task_deadline(TRANSACTION_MS), &which, &message);
		if (error != 0)
			return error;
		if (which == 0) {
			struct span bytes = ((struct cleanup_chunk *)message)->bytes;
			if (room != NULL && room->len > before)
				intake_took(intake, bytes);
			else
				intake_write(intake, bytes);
			allowed = 2;
		} else if (which == 1) {
			*ret_discard = ((struct cleanup_end *)message)->discard;
			return 0;
		} else {
			struct cleanup_recipients *more = message;
			intake_recipients(intake, more->recipients, more->recipient_count);
		}
	}
}

static int serve_message(
	struct channel *channel, const struct cleanup_open *open, const char *queue_id)
{
	struct intake *intake = NEW(struct intake);
	bool discard = false;
	intake_open(intake, open, SPAN_EMPTY, -1, queue_id);
	int error = receive_message(channel, intake, &discard);
	channel_receive_into(channel, NULL, NULL);
	if (error == 0 && !discard)
		intake_finish(intake);
	if (error == 0)
		error = send_result(channel, intake);
	intake_done(intake);
	free(intake);
	return error;
}

static int serve_bounce(struct channel *channel, const struct bounce_request *request)
{
	struct intake *intake = NEW(struct intake);
	bounce_compose(request, intake);
	int error = send_result(channel, intake);
	if (error == 0)
		error = channel_flush(channel, task_deadline(REPLY_MS));
	intake_done(intake);
	free(intake);
	return error;
}

static int serve_released(const struct queue_released *released)
{
	int error = queue_writer_released(process.writer, released->segment, released->dead_bytes);
	if (error < 0)
		log_warning(NULL, "cannot retire segment %llx: %s",
			(unsigned long long)released->segment, strerror(-error));
	return 0;
}

static int serve_compact(struct channel *channel, const struct queue_compact *compact)
{
	struct queue_position *places = memory_zalloc(compact->place_count + 1, sizeof *places);
	struct queue_compacted compacted = {.places = places, .place_count = compact->place_count};
	for (size_t i = 0; i < compact->place_count; i++) {
		int error = queue_writer_copy(process.writer, &compact->places[i], &places[i]);
		if (error != 0) {
			log_warning(NULL, "cannot copy record %llx:%llx: %s",
				(unsigned long long)compact->places[i].segment,
				(unsigned long long)compact->places[i].offset, strerror(-error));
			compacted.status = (uint32_t)-error;
		}
	}
	int error = channel_send(channel, &queue_compacted_type, &compacted);
	free(places);
	return error != 0 ? error : channel_flush(channel, task_deadline(REPLY_MS));
}

void cleanup_serve(struct channel *channel_take, const char *peer)
{
	static const struct message_type *const qmgr_types[] = {
		&bounce_request_type, &queue_released_type, &queue_compact_type};
	/* Only qmgr may say that records are dead, or have bounces composed; it brings no messages. */
	bool is_qmgr = strcmp(peer, "qmgr") == 0;
	char queue_id[QUEUE_ID_MAX];
	int error = is_qmgr ? 0 : send_ready(channel_take, queue_id);
	while (error == 0) {
		size_t which;
		void *message;
		error = is_qmgr ? channel_receive(channel_take, qmgr_types, ARRAY_LEN(qmgr_types),
					  TASK_FOREVER, &which, &message)
				: channel_expect(channel_take, &cleanup_open_type, TASK_FOREVER,
					  &message);
		if (error != 0)
			break;
		if (!is_qmgr) {
			error = serve_message(channel_take, message, queue_id);
			if (error == 0)
				error = send_ready(channel_take, queue_id);
		} else if (which == 0) {
			error = serve_bounce(channel_take, message);
		} else if (which == 1) {
			error = serve_released(message);
		} else {
			error = serve_compact(channel_take, message);
		}
	}
	channel_free(channel_take);
}
