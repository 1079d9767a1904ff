/* See intake.h.
 * SPDX-License-Identifier: ISC */
#include "cleanup/intake.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "cleanup/qmgr_link.h"
#include "cleanup/rewrite.h"
#include "cleanup/settings.h"
#include "mail/received.h"
#include "sys/clock.h"
#include "task/task.h"

#define ENVELOPE_ARENA (64u * 1024)

static unsigned under_way; /* messages */

static const struct {
	enum cleanup_status status;
	const char *code, *text;
} replies[] = {
	{CLEANUP_OK, "", ""},
	{CLEANUP_TOO_BIG, "5.3.4", "Error: message file too big"},
	{CLEANUP_NO_SPACE, "4.3.1", "Error: insufficient system storage"},
	{CLEANUP_TOO_MANY_HOPS, "5.4.0", "Error: too many hops"},
	{CLEANUP_REJECTED, "5.7.1", "Error: message content rejected"},
	{CLEANUP_QUEUE_ERROR, "4.3.0", "Error: queue file write error"},
	{CLEANUP_NO_RECIPIENT, "5.1.0", "Error: no recipients specified"},
};

static void fail(struct intake *intake, enum cleanup_status status)
{
	if (intake->status != CLEANUP_OK)
		return;
	intake->status = status;
	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
		if (replies[i].status == status) {
			intake->code = replies[i].code;
			snprintf(intake->text, sizeof intake->text, "%s", replies[i].text);
		}
}

/* For a reason of the message's own, that no later attempt changes. */
static void refuse(struct intake *intake, const char *code, const char *text)
{
	if (intake->status != CLEANUP_OK)
		return;
	intake->status = CLEANUP_REJECTED;
	intake->code = code;
	snprintf(intake->text, sizeof intake->text, "Error: %.200s", text);
}

static void fail_errno(struct intake *intake, int error, const char *what)
{
	if (intake->status != CLEANUP_OK)
		return;
	if (error == -EFBIG) {
		fail(intake, CLEANUP_TOO_BIG);
		return;
	}
	log_warning(intake->queue_id[0] == '\0' ? NULL : intake->queue_id, "%s: %s", what,
		strerror(-error));
	intake->queue_failed = true;
	fail(intake, error == -ENOSPC || error == -EDQUOT ? CLEANUP_NO_SPACE : CLEANUP_QUEUE_ERROR);
}

/* As smtpd does in Postfix: queue_minfree, and room for one and a half largest messages. */
static bool has_space(void)
{
	static task_time checked;
	static bool enough = true;
	struct statvfs fs;
	if (checked != 0 && task_now() - checked < 1000)
		return enough;
	checked = task_now();
	if (statvfs(process.settings.queue_directory, &fs) < 0)
		return enough = true;
	uint64_t have = (uint64_t)fs.f_bavail * fs.f_frsize;
	uint64_t limit = (uint64_t)process.settings.message_size_limit;
	enough = have >= (uint64_t)process.settings.queue_minfree && have >= limit + limit / 2;
	if (!enough)
		log_warning(NULL, "not enough free space in mail queue: %llu bytes",
			(unsigned long long)have);
	return enough;
}

static void copy_envelope(struct intake *intake, const struct cleanup_open *open)
{
	struct queue_envelope *to = &intake->envelope;
	const struct {
		struct span *to;
		struct span from;
	} texts[] = {
		{&to->envid, open->envid},
		{&to->client_name, open->client_name},
		{&to->client_address, open->client_address},
		{&to->client_port, open->client_port},
		{&to->helo, open->helo},
		{&to->protocol, open->protocol},
		{&to->sasl_method, open->sasl_method},
		{&to->sasl_username, open->sasl_username},
		{&to->sasl_sender, open->sasl_sender},
		{&to->original_queue_id, open->original_queue_id},
		{&intake->tls_summary, open->tls_summary},
		{&intake->received_for, open->received_for},
	};
	struct buf sender = BUF_INIT(QUEUE_ADDRESS_MAX);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		*texts[i].to = arena_dup(&intake->arena, texts[i].from);
	rewrite_address(open->sender, &sender);
	to->sender = arena_dup(&intake->arena, buf_span(&sender));
	to->message_id = SPAN_EMPTY;
	to->dsn_return = open->dsn_return;
	to->origin = open->origin;
	to->arrival_ms = clock_wall_ms();
	to->flags = (open->flags & CLEANUP_SMTPUTF8 ? QUEUE_SMTPUTF8 : 0u) |
		    (open->flags & CLEANUP_8BITMIME ? QUEUE_8BITMIME : 0u) |
		    (open->flags & CLEANUP_HOLD ? QUEUE_HELD : 0u) |
		    (open->flags & CLEANUP_REWRITE_LOCAL ? QUEUE_REWRITE_LOCAL : 0u) |
		    (open->origin == CLEANUP_FROM_BOUNCE ? QUEUE_BOUNCE : 0u);
	if (sender.overflow) {
		to->sender = SPAN_EMPTY; /* no report goes to a part of it */
		refuse(intake, "5.1.7", "sender address too long");
	} else if (intake->arena.overflow) {
		fail(intake, CLEANUP_QUEUE_ERROR);
	}
	buf_done(&sender);
}

static void begin(struct intake *intake, const struct cleanup_open *open, struct span full_name)
{
	bool local = (open->flags & CLEANUP_REWRITE_LOCAL) != 0;
	content_init(&intake->content, intake->queue_id,
		open->origin == CLEANUP_FROM_BOUNCE
			? 0
			: (uint64_t)process.settings.message_size_limit);
	expansion_init(&intake->expansion, queue_writer_large_directory(process.writer),
		intake->queue_id, (open->flags & CLEANUP_NO_MAPPING) == 0);
	header_filter_init(&intake->header, &intake->content, intake->queue_id);
	intake->header.sender = intake->envelope.sender;
	intake->header.full_name = arena_dup(&intake->arena, full_name);
	intake->header.arrival_ms = intake->envelope.arrival_ms;
	intake->header.complete = local;
	intake->header.add_missing = open->origin != CLEANUP_FROM_LOCAL &&
				     (local || process.settings.always_add_missing_headers);
}

enum cleanup_status intake_prepare(char ret_queue_id[QUEUE_ID_MAX])
{
	ret_queue_id[0] = '\0';
	if (!has_space())
		return CLEANUP_NO_SPACE;
	int error = queue_writer_new_id(process.writer, ret_queue_id);
	if (error == 0)
		return CLEANUP_OK;
	ret_queue_id[0] = '\0';
	log_warning(NULL, "cannot make a queue id: %s", strerror(-error));
	return error == -ENOSPC || error == -EDQUOT ? CLEANUP_NO_SPACE : CLEANUP_QUEUE_ERROR;
}

static void take_id(struct intake *intake, const char *queue_id)
{
	if (queue_id != NULL && queue_id[0] != '\0') {
		memcpy(intake->queue_id, queue_id, strnlen(queue_id, QUEUE_ID_MAX - 1));
		return;
	}
	int error = queue_writer_new_id(process.writer, intake->queue_id);
	if (error == 0)
		return;
	intake->queue_id[0] = '\0';
	fail_errno(intake, error, "cannot make a queue id");
}

void intake_open(struct intake *intake, const struct cleanup_open *open, struct span full_name,
	int64_t submitter_uid, const char *queue_id)
{
	*intake = (struct intake){.flags = open->flags,
		.origin = open->origin,
		.hop_count = open->hop_count,
		.submitter_uid = submitter_uid,
		.ends_with_lf = true,
		.status = CLEANUP_OK,
		.code = ""};
	intake->is_open = true;
	under_way++;
	arena_init(&intake->arena, ENVELOPE_ARENA);
	uint64_t limit = (uint64_t)process.settings.message_size_limit;
	if (open->origin == CLEANUP_FROM_SMTP && limit > 0 && open->size_hint > limit) {
		fail(intake, CLEANUP_TOO_BIG);
	} else if (!has_space()) {
		intake->queue_failed = true;
		fail(intake, CLEANUP_NO_SPACE);
	}
	copy_envelope(intake, open);
	take_id(intake, queue_id);
	intake->envelope.queue_id = span_from_cstr(intake->queue_id);
	begin(intake, open, full_name);
	intake_recipients(intake, open->recipients, open->recipient_count);
}

void intake_recipients(
	struct intake *intake, const struct cleanup_recipient *recipients, size_t count)
{
	for (size_t i = 0; i < count && intake->status == CLEANUP_OK; i++) {
		expansion_add(&intake->expansion, &recipients[i]);
		if (intake->expansion.status == CLEANUP_OK)
			continue;
		log_warning(intake->queue_id, "%s", intake->expansion.problem);
		if (intake->expansion.status == CLEANUP_REJECTED)
			refuse(intake, "5.1.3", intake->expansion.problem);
		else
			fail(intake, intake->expansion.status);
	}
}

static void write_received(struct intake *intake)
{
	struct buf text = BUF_INIT(16384);
	struct received received = {
		.helo = intake->envelope.helo,
		.client_name = intake->envelope.client_name,
		.client_address = intake->envelope.client_address,
		.tls_summary = intake->tls_summary,
		.sasl_username = intake->flags & CLEANUP_SHOW_LOGIN
					 ? intake->envelope.sasl_username
					 : SPAN_EMPTY,
		.host = span_from_cstr(process.settings.myhostname),
		.mail_name = span_from_cstr(process.settings.mail_name),
		.protocol = intake->envelope.protocol,
		.queue_id = intake->envelope.queue_id,
		.recipient = intake->received_for,
		.submitter_uid = intake->submitter_uid,
		.date = clock_date(intake->envelope.arrival_ms),
	};
	received_format(&received, "\n", &text);
	content_write(&intake->content, buf_span(&text));
	buf_done(&text);
	intake->has_content = true;
}

static void write_lines(struct intake *intake, struct span bytes)
{
	if (bytes.len == 0)
		return;
	header_filter_write(&intake->header, bytes);
	intake->ends_with_lf = bytes.ptr[bytes.len - 1] == '\n';
}

/* CRLF becomes LF; a CR that no LF follows stays. */
static void write_normalised(struct intake *intake, struct span bytes)
{
	if (intake->pending_cr && bytes.len > 0) {
		intake->pending_cr = false;
		if (bytes.ptr[0] != '\n')
			write_lines(intake, SPAN("\r"));
	}
	while (bytes.len > 0) {
		size_t cr = span_find_char(bytes, '\r');
		if (cr == SIZE_MAX) {
			write_lines(intake, bytes);
			return;
		}
		write_lines(intake, span_head(bytes, cr));
		bytes = span_skip(bytes, cr + 1);
		if (bytes.len == 0)
			intake->pending_cr = true;
		else if (bytes.ptr[0] != '\n')
			write_lines(intake, SPAN("\r"));
	}
}

void intake_write(struct intake *intake, struct span bytes)
{
	if (intake->status != CLEANUP_OK)
		return;
	if (!intake->has_content)
		write_received(intake);
	write_normalised(intake, bytes);
	if (intake->content.error != 0)
		fail_errno(intake, intake->content.error, "cannot store the message");
}

struct buf *intake_room(struct intake *intake)
{
	return intake->status == CLEANUP_OK && intake->has_content && !intake->header.in_header ?
		content_room(&intake->content) : NULL;
}

void intake_took(struct intake *intake, struct span bytes)
{
	struct buf *room = content_room(&intake->content);
	if (bytes.len > 0 && !intake->pending_cr && memchr(bytes.ptr, '\r', bytes.len) == NULL) {
		intake->ends_with_lf = bytes.ptr[bytes.len - 1] == '\n';
		content_took(&intake->content, bytes.len);
		if (intake->content.error != 0)
			fail_errno(intake, intake->content.error, "cannot store the message");
		return;
	}
	struct buf copy = BUF_INIT(bytes.len);
	buf_append(&copy, bytes);
	buf_truncate(room, room->len - bytes.len);
	intake_write(intake, buf_span(&copy));
	buf_done(&copy);
}

static void end_content(struct intake *intake)
{
	intake_write(intake, SPAN_EMPTY);
	if (intake->pending_cr)
		write_lines(intake, SPAN("\r"));
	if (!intake->ends_with_lf)
		write_lines(intake, SPAN("\n"));
	header_filter_end(&intake->header);
	if (intake->content.error != 0)
		fail_errno(intake, intake->content.error, "cannot store the message");
	if (intake->header.hops + intake->hop_count > (uint64_t)process.settings.hopcount_limit)
		fail(intake, CLEANUP_TOO_MANY_HOPS);
	if (intake->expansion.list.count == 0)
		fail(intake, CLEANUP_NO_RECIPIENT);
}

static void commit(struct intake *intake)
{
	struct queue_position position;
	struct span content = SPAN_EMPTY;
	struct queue_envelope *envelope = &intake->envelope;
	envelope->message_id = buf_span(&intake->header.message_id);
	int error = recipient_list_finish(&intake->expansion.list, envelope);
	if (error == 0)
		error = content_finish(&intake->content, envelope, &content);
	/* DURABLE: 0 says that the record is on disk. */
	if (error == 0)
		error = queue_writer_append(process.writer, envelope, content, &position);
	if (error == 0)
		return;
	fail_errno(intake, error, "cannot write to the journal");
	/* Files that were committed have no record now. */
	if (envelope->flags & (QUEUE_LARGE_CONTENT | QUEUE_LARGE_RECIPIENTS))
		large_remove(queue_writer_large_directory(process.writer), envelope->queue_id);
}

enum cleanup_status intake_finish(struct intake *intake)
{
	if (intake->status == CLEANUP_OK)
		end_content(intake);
	if (intake->status == CLEANUP_OK && (intake->flags & CLEANUP_DISCARD) == 0)
		commit(intake);
	return intake->status;
}

bool intake_is_alone(void *unused)
{
	(void)unused;
	return under_way <= 1;
}

void intake_done(struct intake *intake)
{
	if (intake->is_open)
		under_way--;
	intake->is_open = false;
	header_filter_done(&intake->header);
	content_done(&intake->content);
	expansion_done(&intake->expansion);
	arena_done(&intake->arena);
}
