/* From a request of qmgr to a queued report. See bounce.h.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "cleanup/bounce.h"
#include "cleanup/rewrite.h"
#include "cleanup/settings.h"
#include "mail/address.h"
#include "mail/header.h"
#include "sys/clock.h"

#define ORIGINAL_MAX (4u * 1024 * 1024)
#define TEXT_MAX (2 * ORIGINAL_MAX + HEADERS_MAX) /* with a thousand recipients */
#define HEADERS_MAX (256u * 1024)

/* What is known and returned of the message that the report is about. */
struct original {
	struct queue_message message;
	struct buf bytes; /* the message, or its header */
	bool found, whole;
};

static bool returns_whole(const struct bounce_request *request, const struct queue_message *message)
{
	uint64_t limit = (uint64_t)process.settings.bounce_size_limit;
	if (limit == 0 || limit > ORIGINAL_MAX)
		limit = ORIGINAL_MAX;
	return request->kind == BOUNCE_FAILURE && request->dsn_return != DSN_RETURN_HEADERS &&
	       message->envelope.size <= limit;
}

/* PRIV: what stands in the journal is returned only when its checksum says that it is this message:
 * the segment may have been used again since the envelope was read. A file of its own holds nothing
 * else. */
static int read_bytes(struct queue_reader *reader, struct original *original)
{
	size_t max = original->whole ? (size_t)original->message.envelope.size : HEADERS_MAX;
	bool in_file = (original->message.envelope.flags & QUEUE_LARGE_CONTENT) != 0;
	int error = in_file ? queue_message_content_part(
				      reader, &original->message, 0, max, &original->bytes)
			    : queue_message_content(reader, &original->message, &original->bytes);
	if (error != 0 || original->whole)
		return error;
	size_t header = header_length(buf_span(&original->bytes));
	size_t limit = (size_t)process.settings.bounce_size_limit;
	buf_truncate(&original->bytes, limit > 0 && header > limit ? limit : header);
	return 0;
}

/* Without the message the report is still worth more than nothing. */
static void read_original(const struct bounce_request *request, struct original *original)
{
	struct queue_position position = {request->segment, request->offset, request->length};
	struct queue_reader *reader;
	*original = (struct original){.bytes = BUF_INIT(ORIGINAL_MAX + HEADERS_MAX)};
	if (request->length == 0)
		return;
	int error = queue_reader_open(process.settings.queue_directory, &reader);
	if (error == 0) {
		error = queue_message_load(reader, &position, &original->message);
		if (error == 0 &&
			!span_equal(original->message.envelope.queue_id, request->queue_id))
			error = -ENOENT;
		original->whole = error == 0 && returns_whole(request, &original->message);
		if (error == 0)
			error = read_bytes(reader, original);
		queue_reader_close(reader);
	}
	original->found = error == 0;
	if (error != 0)
		log_warning(NULL, "%.*s: cannot read the message for its report: %s",
			SPAN_ARGS(request->queue_id), strerror(-error));
}

/* Opens the intake: envelope, queue id. */
static void open_intake(struct bounce *bounce, struct intake *intake)
{
	struct buf sender = BUF_INIT(MAIL_PATH_MAX);
	if (bounce->request->kind == BOUNCE_POSTMASTER)
		rewrite_address(span_from_cstr(process.settings.double_bounce_sender), &sender);
	struct cleanup_recipient recipient = {
		.address = bounce->recipient, .orcpt = SPAN_EMPTY, .notify = DSN_NEVER};
	struct cleanup_open open = cleanup_open_from(CLEANUP_FROM_BOUNCE);
	open.flags = CLEANUP_REWRITE_LOCAL | (bounce->utf8 ? CLEANUP_SMTPUTF8 : 0u) |
		     (bounce->eight_bit ? CLEANUP_8BITMIME : 0u);
	open.sender = buf_span(&sender);
	open.original_queue_id = bounce->request->queue_id;
	open.recipients = &recipient;
	open.recipient_count = bounce->recipient.len > 0 ? 1 : 0;
	intake_open(intake, &open, SPAN_EMPTY, -1, NULL);
	buf_done(&sender);
}

static void write_report(
	const struct bounce *bounce, const struct original *original, struct intake *intake)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	bounce_header(bounce, &text);
	bounce_notification(bounce, &text);
	bounce_report(bounce, &text);
	if (original->found) {
		bounce_original_begin(bounce, &text);
		buf_append(&text, buf_span(&original->bytes));
	}
	bounce_end(bounce, &text);
	if (!text.overflow)
		intake_write(intake, buf_span(&text));
	buf_done(&text);
}

static void log_report(const struct bounce_request *request, const struct intake *intake)
{
	struct buf id = BUF_INIT(QUEUE_ID_MAX + 1);
	buf_append(&id, request->queue_id);
	log_set_program("bounce");
	log_info(buf_cstr(&id), "%s: %s", bounce_log_name(request), intake->queue_id);
	log_set_program(NULL);
	buf_done(&id);
}

void bounce_compose(const struct bounce_request *request, struct intake *intake)
{
	struct original original;
	struct buf boundary = BUF_INIT(256), origin = BUF_INIT(256);
	int64_t now = clock_wall_ms();
	read_original(request, &original);
	uint32_t flags = original.found ? original.message.envelope.flags : 0;
	buf_append(&origin, route_origin(process.route));
	struct bounce bounce = {.request = request,
		.reporter = process.settings.myhostname,
		.mail_name = process.settings.mail_name,
		.origin = buf_cstr(&origin),
		.recipient = request->sender,
		.sender = original.found ? original.message.envelope.sender : request->sender,
		.date = clock_date(now),
		.utf8 = (flags & QUEUE_SMTPUTF8) != 0,
		.eight_bit = (flags & (QUEUE_8BITMIME | QUEUE_SMTPUTF8)) != 0 ||
			     !span_is_ascii(buf_span(&original.bytes)),
		.whole = original.whole};
	open_intake(&bounce, intake);
	buf_append_format(&boundary, "%s.%lld/%s", intake->queue_id, (long long)now,
		process.settings.myhostname);
	bounce.boundary = buf_span(&boundary);
	if (intake->status == CLEANUP_OK)
		write_report(&bounce, &original, intake);
	if (intake_finish(intake) == CLEANUP_OK)
		log_report(request, intake);
	queue_message_done(&original.message);
	buf_done(&original.bytes);
	buf_done(&boundary);
	buf_done(&origin);
}
