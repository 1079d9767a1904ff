/* From a request of qmgr to a queued report. See bounce.h.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cleanup/bounce.h"
#include "cleanup/rewrite.h"
#include "cleanup/settings.h"
#include "mail/address.h"
#include "mail/header.h"

#define TEXT_MAX (8u * 1024 * 1024) /* notification and report of a thousand recipients */
#define HEADERS_MAX (256u * 1024)

/* Appends what is returned of the message: whole, or its header. */
static int append_original(struct queue_reader *reader, const struct queue_message *message,
	const struct bounce *bounce, struct buf *out)
{
	size_t start = out->len;
	size_t max = bounce->whole ? (size_t)message->envelope.size : HEADERS_MAX;
	int error = queue_message_content_part(reader, message, 0, max, out);
	if (error != 0)
		return error;
	if (!bounce->whole) {
		size_t header = header_length(span_skip(buf_span(out), start));
		size_t limit = (size_t)process.settings.bounce_size_limit;
		if (limit > 0 && header > limit)
			header = limit;
		buf_truncate(out, start + header);
	}
	return 0;
}

static bool returns_whole(const struct bounce_request *request, const struct queue_message *message)
{
	uint64_t limit = (uint64_t)process.settings.bounce_size_limit;
	return request->kind == BOUNCE_FAILURE && request->dsn_return != DSN_RETURN_HEADERS &&
	       (limit == 0 || message->envelope.size <= limit);
}

/* Opens the intake: envelope, queue id. */
static void open_intake(struct bounce *bounce, struct intake *intake)
{
	struct buf sender = BUF_INIT(MAIL_PATH_MAX);
	if (bounce->request->kind == BOUNCE_POSTMASTER)
		rewrite_address(span_from_cstr(process.settings.double_bounce_sender), &sender);
	struct cleanup_recipient recipient = {
		.address = bounce->recipient, .orcpt = SPAN_EMPTY, .notify = DSN_NEVER};
	struct cleanup_open open = {
		.origin = CLEANUP_FROM_BOUNCE,
		.flags = CLEANUP_REWRITE_LOCAL | (bounce->utf8 ? CLEANUP_SMTPUTF8 : 0u) |
			 (bounce->eight_bit ? CLEANUP_8BITMIME : 0u),
		.sender = buf_span(&sender),
		.envid = SPAN_EMPTY,
		.client_name = SPAN_EMPTY,
		.client_address = SPAN_EMPTY,
		.client_port = SPAN_EMPTY,
		.helo = SPAN_EMPTY,
		.protocol = SPAN_EMPTY,
		.sasl_method = SPAN_EMPTY,
		.sasl_username = SPAN_EMPTY,
		.sasl_sender = SPAN_EMPTY,
		.tls_summary = SPAN_EMPTY,
		.received_for = SPAN_EMPTY,
		.original_queue_id = bounce->request->queue_id,
		.recipients = &recipient,
		.recipient_count = bounce->recipient.len > 0 ? 1 : 0,
	};
	intake_open(intake, &open, SPAN_EMPTY, -1);
	buf_done(&sender);
}

static int write_report(const struct bounce *bounce, struct queue_reader *reader,
	const struct queue_message *message, struct intake *intake)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	int error = 0;
	bounce_header(bounce, &text);
	bounce_notification(bounce, &text);
	bounce_report(bounce, &text);
	if (message != NULL) {
		bounce_original_begin(bounce, &text);
		error = append_original(reader, message, bounce, &text);
	}
	bounce_end(bounce, &text);
	if (error == 0 && text.overflow)
		error = -EMSGSIZE;
	if (error == 0)
		intake_write(intake, buf_span(&text));
	buf_done(&text);
	return error;
}

void bounce_compose(const struct bounce_request *request, struct intake *intake)
{
	struct queue_reader *reader;
	struct queue_message message = {0};
	struct buf boundary = BUF_INIT(256), origin = BUF_INIT(256);
	struct queue_position position = {request->segment, request->offset, request->length};
	int64_t now = clock_now_ms();
	int error = queue_reader_open(process.settings.queue_directory, &reader);
	bool opened = error == 0;
	if (opened)
		error = queue_message_load(reader, &position, &message);
	bool found = error == 0 && span_equal(message.envelope.queue_id, request->queue_id);
	if (!found)
		log_warning(NULL, "%.*s: cannot read the message for its report: %s",
			SPAN_ARGS(request->queue_id), strerror(error == 0 ? ENOENT : -error));
	buf_append(&origin, route_origin(process.route));
	struct bounce bounce = {.request = request,
		.reporter = process.settings.myhostname,
		.mail_name = process.settings.mail_name,
		.origin = buf_cstr(&origin),
		.recipient = request->sender,
		.sender = found ? message.envelope.sender : request->sender,
		.date = clock_date(now),
		.utf8 = found && (message.envelope.flags & QUEUE_SMTPUTF8) != 0,
		.eight_bit =
			found && (message.envelope.flags & (QUEUE_8BITMIME | QUEUE_SMTPUTF8)) != 0,
		.whole = found && returns_whole(request, &message)};
	open_intake(&bounce, intake);
	buf_reset(&boundary);
	buf_append_format(&boundary, "%s.%lld/%s", intake->queue_id, (long long)now,
		process.settings.myhostname);
	bounce.boundary = buf_span(&boundary);
	if (intake->status == CLEANUP_OK) {
		error = write_report(
			&bounce, opened ? reader : NULL, found ? &message : NULL, intake);
		if (error != 0 &&
			found) /* its file may be gone: the report is worth more than nothing */
			error = write_report(&bounce, NULL, NULL, intake);
		if (intake_finish(intake) == CLEANUP_OK) {
			struct buf id = BUF_INIT(QUEUE_ID_MAX + 1);
			buf_append(&id, request->queue_id);
			log_info(buf_cstr(&id), "%s: %s", bounce_log_name(request),
				intake->queue_id);
			buf_done(&id);
		}
	}
	queue_message_done(&message);
	if (opened)
		queue_reader_close(reader);
	buf_done(&boundary);
	buf_done(&origin);
}
