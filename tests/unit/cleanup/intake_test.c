/* Messages through intake into a real journal: headers, aliases, limits, line ends, bounces.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/check.h"
#include "cleanup/bounce.h"
#include "cleanup/intake.h"
#include "cleanup_fixture.h"
#include "queue/faults.h"
#include "queue/reader.h"
#include "service/delivery.h"

static int setup(void **state)
{
	(void)state;
	return fixture_open(
		"mydomain = example.test\nrecipient_delimiter = +\nmessage_size_limit = 600000\n"
		"hopcount_limit = 5\nappend_dot_mydomain = yes\nbounce_size_limit = 1000\n"
		"virtual_alias_maps = inline:{ {list@virt.test=a@example.test, b@example.test, a@Example.Test},"
		" {deep@virt.test=list@virt.test}, {self@example.test=self@example.test, other@example.test},"
		" {one@virt.test=two@virt.test}, {two@virt.test=one@virt.test}, {local@virt.test=root},"
		" {@all.test=@example.test} }\n");
}

static struct cleanup_open open_with(const char *sender, uint32_t origin, uint32_t flags)
{
	struct cleanup_open open = cleanup_open_from((enum cleanup_origin)origin);
	open.flags = flags;
	open.sender = span_from_cstr(sender);
	open.client_name = SPAN("client.example.net");
	open.client_address = SPAN("192.0.2.7");
	open.client_port = SPAN("4711");
	open.helo = SPAN("helo.test");
	open.protocol = SPAN("ESMTP");
	return open;
}

static struct cleanup_recipient recipient_of(const char *address)
{
	return (struct cleanup_recipient){span_from_cstr(address), SPAN_EMPTY, 0};
}

/* Everything of the last message, Received: cut off. */
static void read_last(struct buf *content, struct buf *recipients)
{
	struct queue_reader *reader;
	struct queue_message message = {0};
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	assert_int_equal(queue_message_load(reader, &last_position, &message), 0);
	buf_reset(content);
	buf_reset(recipients);
	assert_int_equal(queue_message_content_part(reader, &message, 0, 4000000, content), 0);
	struct span rest = message.envelope.recipients;
	struct queue_recipient recipient;
	while (queue_recipient_next(&rest, &recipient)) {
		buf_append(recipients, recipient.address);
		buf_append_char(recipients, ' ');
	}
	queue_message_done(&message);
	queue_reader_close(reader);
	assert_true(span_starts_with(buf_span(content), SPAN("Received: ")));
	size_t end = 0;
	while (end + 1 < content->len &&
		(content->ptr[end] != '\n' || content->ptr[end + 1] == '\t'))
		end++;
	buf_consume(content, end + 1);
}

/* The piece where cleanup wants to have it, as a channel puts it there, if it says where. */
static bool put_in_place(struct intake *intake, struct span piece)
{
	struct buf *room = intake_room(intake);
	if (room == NULL || piece.len > room->cap - room->len)
		return false;
	buf_append(room, piece);
	intake_took(intake, span_new(room->ptr + room->len - piece.len, piece.len));
	return true;
}

static bool in_place; /* how send does it */
static size_t placed;

/* Sends text in pieces of the given size. */
static enum cleanup_status send(
	uint32_t origin, uint32_t flags, const char *to, struct span text, size_t piece)
{
	struct intake intake;
	struct cleanup_open open = open_with("s@example.net", origin, flags);
	struct cleanup_recipient recipient = recipient_of(to);
	open.recipients = &recipient;
	open.recipient_count = 1;
	intake_open(&intake, &open, SPAN_EMPTY, -1, NULL);
	while (text.len > 0) {
		if (in_place && put_in_place(&intake, span_head(text, piece)))
			placed++;
		else
			intake_write(&intake, span_head(text, piece));
		text = span_skip(text, piece);
	}
	enum cleanup_status status = intake_finish(&intake);
	intake_done(&intake);
	return status;
}

static void test_headers_and_line_ends(void **state)
{
	(void)state;
	static const struct {
		const char *name, *in, *out;
	} rows[] = {
		{"CRLF becomes LF", "Subject: x\r\nMessage-Id: <1@x>\r\n\r\nhi\r\n.dot\r\n",
			"Subject: x\nMessage-Id: <1@x>\n\nhi\n.dot\n"},
		{"LF stays, a missing last line end is added", "Subject: x\n\nhi",
			"Subject: x\n\nhi\n"},
		{"a bare CR stays", "A: b\r\n\r\na\rb\r\r\n", "A: b\n\na\rb\r\n"},
		{"dropped fields",
			"Bcc: secret@x\r\n secret2@x\r\nReturn-Path: <y>\r\nTo: z\r\n"
			"Content-Length: 5\r\n\r\nb\r\n",
			"To: z\n\nb\n"},
		{"folded fields stay as they are", "Subject: a\r\n\tb\r\n  c\r\n\r\n",
			"Subject: a\n\tb\n  c\n\n"},
		{"no field ends the header", "Subject: x\r\nno field here\r\nmore: y\r\n",
			"Subject: x\n\nno field here\nmore: y\n"},
		{"no header at all", "just text\r\n", "\njust text\n"},
		{"nothing at all", "", "\n"},
		{"header only", "Subject: x\r\n", "Subject: x\n\n"},
		{"a mailbox line", "From joe Mon Jan 1\r\nSubject: x\r\n\r\n",
			"X-Mailbox-Line: From joe Mon Jan 1\n"
			"Subject: x\n\n"},
		{"incomplete addresses of strangers are left alone",
			"To: joe, \"x y\" <ann@host>\r\n\r\n", "To: joe, \"x y\" <ann@host>\n\n"},
		{"white space before the first field", " x\r\nSubject: y\r\n\r\n",
			"\n x\nSubject: y\n\n"},
	};
	static const size_t pieces[] = {1, 7, 100000};
	struct buf content = BUF_INIT(100000), recipients = BUF_INIT(1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
			assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@example.test",
						 span_from_cstr(rows[i].in), pieces[p]),
				CLEANUP_OK);
			read_last(&content, &recipients);
			if (strcmp(buf_cstr(&content), rows[i].out) != 0)
				print_error("case: %s\n", rows[i].name);
			assert_string_equal(buf_cstr(&content), rows[i].out);
		}
	buf_done(&content);
	buf_done(&recipients);
}

static void test_local_mail_is_completed(void **state)
{
	(void)state;
	struct buf content = BUF_INIT(100000), recipients = BUF_INIT(1000);
	assert_int_equal(
		send(CLEANUP_FROM_MAILDROP, CLEANUP_REWRITE_LOCAL, "r",
			SPAN("To: joe, \"x y\" <ann@host> (no), good@example.org\nSubject: x\n\n"),
			1000),
		CLEANUP_OK);
	read_last(&content, &recipients);
	assert_string_equal(buf_cstr(&recipients), "r@example.test ");
	const char *text = buf_cstr(&content);
	assert_non_null(strstr(text, "To: joe@example.test, "));
	assert_non_null(strstr(text, "<ann@host.example.test>"));
	assert_non_null(strstr(text, "good@example.org"));
	assert_non_null(strstr(text, "\nMessage-Id: <20"));
	assert_non_null(strstr(text, "\nDate: "));
	assert_non_null(strstr(text, "\nFrom: s@example.net\n\n"));
	/* What is there is not added. */
	assert_int_equal(send(CLEANUP_FROM_MAILDROP, CLEANUP_REWRITE_LOCAL, "r",
				 SPAN("From: a@b.c\nDate: x\nmessage-ID: <y>\n\n"), 1000),
		CLEANUP_OK);
	read_last(&content, &recipients);
	assert_string_equal(buf_cstr(&content), "From: a@b.c\nDate: x\nmessage-ID: <y>\n\n");
	/* A forward of local gets nothing added. */
	assert_int_equal(
		send(CLEANUP_FROM_LOCAL, CLEANUP_REWRITE_LOCAL, "r", SPAN("X: y\n\n"), 9), 0);
	read_last(&content, &recipients);
	assert_string_equal(buf_cstr(&content), "X: y\n\n");
	buf_done(&content);
	buf_done(&recipients);
}

static void test_aliases(void **state)
{
	(void)state;
	static const struct {
		const char *name, *to;
		enum cleanup_status status;
		const char *recipients;
	} rows[] = {
		{"no alias", "x@example.org", CLEANUP_OK, "x@example.org "},
		{"a list, without its duplicate", "list@virt.test", CLEANUP_OK,
			"a@example.test b@example.test "},
		{"in two steps", "deep@virt.test", CLEANUP_OK, "a@example.test b@example.test "},
		{"to itself and another", "self@example.test", CLEANUP_OK,
			"self@example.test other@example.test "},
		{"a loop is a temporary error", "one@virt.test", CLEANUP_QUEUE_ERROR, NULL},
		{"the extension is passed on", "list+x@virt.test", CLEANUP_OK,
			"a+x@example.test b+x@example.test "},
		{"a result without a domain", "local@virt.test", CLEANUP_OK, "root@example.test "},
		{"a whole domain", "joe@all.test", CLEANUP_OK, "joe@example.test "},
		{"no address at all", "", CLEANUP_OK, "MAILER-DAEMON@example.test "},
	};
	struct buf content = BUF_INIT(100000), recipients = BUF_INIT(1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (send(CLEANUP_FROM_SMTP, 0, rows[i].to, SPAN("A: b\n\n"), 100) != rows[i].status)
			fail_msg("case: %s", rows[i].name);
		if (rows[i].status != CLEANUP_OK)
			continue;
		read_last(&content, &recipients);
		assert_string_equal(buf_cstr(&recipients), rows[i].recipients);
	}
	assert_int_equal(send(CLEANUP_FROM_SMTP, CLEANUP_NO_MAPPING, "list@virt.test",
				 SPAN("A: b\n\n"), 100),
		CLEANUP_OK);
	read_last(&content, &recipients);
	assert_string_equal(buf_cstr(&recipients), "list@virt.test ");
	buf_done(&content);
	buf_done(&recipients);
}

static void test_limits(void **state)
{
	(void)state;
	static char text[700000];
	struct buf content = BUF_INIT(1000000), recipients = BUF_INIT(1000);
	memset(text, 'x', sizeof text);
	for (size_t i = 99; i < sizeof text; i += 100)
		text[i] = '\n';
	size_t before = committed;
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@x.y", span_new(text, 650000), 65536),
		CLEANUP_TOO_BIG);
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@x.y",
				 SPAN("Received: a\nReceived: b\nReceived: c\n"
				      "Received: d\nReceived: e\nReceived: f\n\n"),
				 100),
		CLEANUP_TOO_MANY_HOPS);
	assert_int_equal(send(CLEANUP_FROM_SMTP, CLEANUP_DISCARD, "r@x.y", SPAN("A: b\n\n"), 100),
		CLEANUP_OK);
	assert_int_equal(committed, before);
	/* Above the inline limit: a file of its own, byte for byte. */
	text[0] = '\n';
	assert_int_equal(
		send(CLEANUP_FROM_SMTP, 0, "r@x.y", span_new(text, 500000), 30000), CLEANUP_OK);
	read_last(&content, &recipients);
	assert_int_equal(content.len, 500000);
	assert_memory_equal(content.ptr, text, 500000);
	/* A field longer than header_size_limit is cut, the next is whole. */
	memcpy(text, "Long: ", 6);
	for (size_t i = 6; i < 300000; i++)
		text[i] = 'y';
	memcpy(text + 300000, "\nNext: z\n\nbody\n", 15);
	assert_int_equal(
		send(CLEANUP_FROM_SMTP, 0, "r@x.y", span_new(text, 300015), 5000), CLEANUP_OK);
	read_last(&content, &recipients);
	assert_true(content.len < 110000);
	assert_non_null(strstr(buf_cstr(&content), "yy\nNext: z\n\nbody\n"));
	buf_done(&content);
	buf_done(&recipients);
}

/* journal_inline_limit says what goes into a file, not how large the message may be. */
static void test_small_inline_limit(void **state)
{
	(void)state;
	static char text[500000];
	struct buf content = BUF_INIT(1000000), recipients = BUF_INIT(1000);
	int64_t limit = process.settings.inline_limit;
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < sizeof text; i += 100)
		text[i] = '\n';
	text[sizeof text - 1] = '\n';
	process.settings.inline_limit = 4096;
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@x.y", span_new(text, sizeof text), 100000),
		CLEANUP_OK);
	process.settings.inline_limit = limit;
	read_last(&content, &recipients);
	assert_int_equal(content.len, sizeof text);
	assert_memory_equal(content.ptr, text, sizeof text);
	buf_done(&content);
	buf_done(&recipients);
}

static void make_body(char *text, size_t size, const char *line_end)
{
	size_t at = 0;
	memset(text, 'x', size);
	memcpy(text, "A: b\n\n", 6);
	for (size_t line = 100; line < size; line += 100)
		for (at = 0; line_end[at] != '\0'; at++)
			text[line - 2 + at] = line_end[at];
}

static void test_content_put_in_place(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t size, piece;
		const char *line_end;
		bool converted;
	} rows[] = {
		{"small", 3000, 1000, "x\n", false},
		{"for the journal", 200000, 50000, "x\n", false},
		{"for a file", 300000, 90000, "x\n", false},
		{"more than is written at once", 599000, 131000, "x\n", false},
		{"pieces that do not fit", 599000, 250000, "x\n", false},
		{"CRLF", 300000, 777, "\r\n", true},
		{"CRLF, cut in the middle", 300000, 99, "\r\n", true},
		{"bare CR", 300000, 1000, "\rx", false},
	};
	static char text[600000];
	struct buf content = BUF_INIT(1000000), recipients = BUF_INIT(1000), wanted = BUF_INIT(1000000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		print_message("%s\n", rows[i].name);
		make_body(text, rows[i].size, rows[i].line_end);
		buf_reset(&wanted);
		for (size_t at = 0; at < rows[i].size; at++)
			if (!rows[i].converted || text[at] != '\r')
				buf_append_char(&wanted, text[at]);
		if (wanted.ptr[wanted.len - 1] != '\n')
			buf_append_char(&wanted, '\n');
		in_place = true;
		placed = 0;
		enum cleanup_status status = send(CLEANUP_FROM_SMTP, 0, "r@x.y",
			span_new(text, rows[i].size), rows[i].piece);
		in_place = false;
		assert_int_equal(status, CLEANUP_OK);
		assert_true(placed > 0);
		read_last(&content, &recipients);
		assert_int_equal(content.len, wanted.len);
		assert_memory_equal(content.ptr, wanted.ptr, wanted.len);
	}
	in_place = true;
	make_body(text, sizeof text, "x\n");
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@x.y", span_new(text, sizeof text), 100000),
		CLEANUP_TOO_BIG);
	in_place = false;
	buf_done(&content);
	buf_done(&recipients);
	buf_done(&wanted);
}

/* A table that cannot be asked is a temporary error, never "no alias". */
static void test_unusable_table(void **state)
{
	(void)state;
	const struct conf_override override = {"virtual_alias_maps", "fail:always"};
	char *problem = NULL;
	struct conf *conf = conf_load(directory, "cleanup", &override, 1, &problem);
	struct route *good = process.route;
	assert_non_null(conf);
	process.route = route_open(conf, &problem);
	assert_non_null(process.route);
	size_t before = committed;
	assert_int_equal(
		send(CLEANUP_FROM_SMTP, 0, "r@x.y", SPAN("A: b\n\n"), 100), CLEANUP_QUEUE_ERROR);
	assert_int_equal(committed, before);
	route_close(process.route);
	conf_free(conf);
	process.route = good;
}

static int no_space(const char *operation)
{
	return strcmp(operation, "fdatasync") == 0 || strcmp(operation, "fsync") == 0 ? ENOSPC : 0;
}

static void test_trouble_is_not_ok(void **state)
{
	(void)state;
	static char text[400000];
	memset(text, '\n', sizeof text);
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@x.y", SPAN("A: b\n\n"), 100), CLEANUP_OK);
	queue_faults = no_space;
	assert_int_equal(
		send(CLEANUP_FROM_SMTP, 0, "r@x.y", SPAN("A: b\n\n"), 100), CLEANUP_NO_SPACE);
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@x.y", span_new(text, sizeof text), 65536),
		CLEANUP_NO_SPACE);
	queue_faults = NULL;
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "r@x.y", SPAN("A: b\n\n"), 100), CLEANUP_OK);
}

static void test_bounce(void **state)
{
	(void)state;
	struct buf content = BUF_INIT(100000), recipients = BUF_INIT(1000);
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "gone@example.org",
				 SPAN("Subject: hello\nFrom: s@example.net\n\nthe body\n"), 100),
		CLEANUP_OK);
	struct queue_position position = last_position;
	struct queue_reader *reader;
	struct queue_message message = {0};
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	assert_int_equal(queue_message_load(reader, &position, &message), 0);
	struct bounce_recipient gone = {.address = SPAN("gone@example.org"),
		.original = SPAN("alias@example.org"),
		.orcpt = SPAN("rfc822;first@example.org"),
		.dsn = SPAN("5.1.1"),
		.text = SPAN("host mx said: 550 5.1.1 nobody\r\nX-Evil: yes"),
		.remote_mta = SPAN("mx.example.org"),
		.diagnostic = SPAN("550 5.1.1 nobody"),
		.status = DELIVERY_BOUNCED};
	struct bounce_request request = {.kind = BOUNCE_FAILURE,
		.queue_id = message.envelope.queue_id,
		.segment = position.segment,
		.offset = position.offset,
		.length = position.length,
		.sender = SPAN("s@example.net"),
		.envid = SPAN("env1"),
		.arrival_ms = 1700000000000,
		.recipients = &gone,
		.recipient_count = 1};
	static const struct {
		const char *name;
		uint32_t kind, dsn_return;
		const char *to, *has[6], *has_not;
	} rows[] = {
		{"failure, whole message", BOUNCE_FAILURE, DSN_RETURN_DEFAULT, "s@example.net ",
			{"Subject: Undelivered Mail Returned to Sender\n",
				"report-type=delivery-status;", "Original-Envelope-Id: env1\n",
				"\nFinal-Recipient: rfc822; gone@example.org\n"
				"Original-Recipient: rfc822;first@example.org\nAction: failed\nStatus: 5.1.1\n"
				"Remote-MTA: dns; mx.example.org\nDiagnostic-Code: smtp; 550 5.1.1 nobody\n",
				"(expanded from <alias@example.org>)",
				"Content-Type: message/rfc822\n\nReceived: "},
			"\nX-Evil"},
		{"failure, header only", BOUNCE_FAILURE, DSN_RETURN_HEADERS, "s@example.net ",
			{"Content-Type: text/rfc822-headers\n", "Subject: hello\n"}, "the body"},
		{"delay", BOUNCE_DELAY, DSN_RETURN_DEFAULT, "s@example.net ",
			{"Subject: Delayed Mail (still being retried)\n", "Action: delayed\n"},
			"the body"},
		{"success", BOUNCE_SUCCESS, DSN_RETURN_DEFAULT, "s@example.net ",
			{"Subject: Successful Mail Delivery Report\n", "Action: delivered\n"},
			"the body"},
		{"postmaster", BOUNCE_POSTMASTER, DSN_RETURN_DEFAULT, "postmaster@example.test ",
			{"Subject: Postmaster Copy: Undelivered Mail\n",
				"X-Postfix-Sender: rfc822; s@example.net\n"},
			"the body"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct intake intake;
		request.kind = rows[i].kind;
		request.sender = rows[i].kind == BOUNCE_POSTMASTER ? SPAN("postmaster")
								   : SPAN("s@example.net");
		request.dsn_return = rows[i].dsn_return;
		bounce_compose(&request, &intake);
		assert_int_equal(intake.status, CLEANUP_OK);
		intake_done(&intake);
		read_last(&content, &recipients);
		assert_string_equal(buf_cstr(&recipients), rows[i].to);
		const char *text = buf_cstr(&content);
		for (size_t k = 0; k < ARRAY_LEN(rows[i].has) && rows[i].has[k] != NULL; k++)
			if (strstr(text, rows[i].has[k]) == NULL)
				fail_msg("case %s: missing %s in %s", rows[i].name, rows[i].has[k],
					text);
		assert_null(strstr(text, rows[i].has_not));
	}
	queue_message_done(&message);
	queue_reader_close(reader);
	buf_done(&content);
	buf_done(&recipients);
}

/* Bytes that are not what was queued (damage, a segment that is used again) are nobody's mail. */
static void test_bounce_of_other_bytes(void **state)
{
	(void)state;
	static char text[40000];
	struct buf content = BUF_INIT(200000), recipients = BUF_INIT(1000);
	struct queue_reader *reader;
	struct queue_message message = {0};
	char path[128];
	memset(text, 'x', sizeof text - 1);
	memcpy(text, "Subject: hello\n\n", 16);
	assert_int_equal(send(CLEANUP_FROM_SMTP, 0, "gone@example.org",
				 span_new(text, sizeof text - 1), 10000),
		CLEANUP_OK);
	struct queue_position position = last_position;
	assert_int_equal(queue_reader_open(directory, &reader), 0);
	assert_int_equal(queue_message_load(reader, &position, &message), 0);
	struct bounce_recipient gone = {.address = SPAN("gone@example.org"),
		.original = SPAN_EMPTY,
		.orcpt = SPAN_EMPTY,
		.dsn = SPAN("5.1.1"),
		.text = SPAN("nobody"),
		.remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY,
		.status = DELIVERY_BOUNCED};
	struct bounce_request request = {.kind = BOUNCE_FAILURE,
		.queue_id = message.envelope.queue_id,
		.segment = position.segment,
		.offset = position.offset,
		.length = position.length,
		.sender = SPAN("s@example.net"),
		.envid = SPAN_EMPTY,
		.arrival_ms = 1700000000000,
		.recipients = &gone,
		.recipient_count = 1};
	snprintf(path, sizeof path, "%s/journal/%016llx.seg", directory,
		(unsigned long long)position.segment);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "another's secret", 16, (off_t)message.content_offset + 30000), 16);
	close(fd);
	process.settings.bounce_size_limit = 50000;
	for (uint32_t ret = DSN_RETURN_DEFAULT; ret <= DSN_RETURN_HEADERS; ret++) {
		struct intake intake;
		request.dsn_return = ret;
		bounce_compose(&request, &intake);
		assert_int_equal(intake.status, CLEANUP_OK);
		intake_done(&intake);
		read_last(&content, &recipients);
		assert_true(span_find(buf_span(&content), SPAN("Final-Recipient")) != SIZE_MAX);
		assert_true(span_find(buf_span(&content), SPAN("secret")) == SIZE_MAX);
		assert_true(span_find(buf_span(&content), SPAN("Subject: hello")) == SIZE_MAX);
	}
	process.settings.bounce_size_limit = 1000;
	queue_message_done(&message);
	queue_reader_close(reader);
	buf_done(&content);
	buf_done(&recipients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers_and_line_ends),
		cmocka_unit_test(test_local_mail_is_completed),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_small_inline_limit),
		cmocka_unit_test(test_content_put_in_place),
		cmocka_unit_test(test_unusable_table),
		cmocka_unit_test(test_trouble_is_not_ok),
		cmocka_unit_test(test_bounce),
		cmocka_unit_test(test_bounce_of_other_bytes),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
