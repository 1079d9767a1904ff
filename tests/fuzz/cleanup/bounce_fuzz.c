/* A report about a message: addresses, ids and what a foreign server said stand in it, and can
 * neither end its header nor its parts. Lines of the input are the foreign texts.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "base/log.h"
#include "cleanup/bounce.h"
#include "cleanup/settings.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static void set_up(void)
{
	char *problem = NULL;
	log_set_sink(silence);
	static struct conf *conf;
	conf = conf_parse("/nowhere", "cleanup",
		SPAN("myhostname = mx.example.test\nmydomain = example.test\nmyorigin = example.test\n"
			"alias_maps =\nlocal_recipient_maps =\n"), &problem);
	CHECK(conf != NULL && settings_load(conf) == 0);
}

static size_t count_lines(struct span text, struct span start)
{
	size_t count = 0;
	while (text.ptr != NULL && text.len > 0)
		count += span_starts_with(span_split(&text, '\n'), start);
	return count;
}

/* Parts begin where we begin them, whatever the texts hold. */
static void check_report(const struct bounce *bounce)
{
	struct buf text = BUF_INIT(4 << 20);
	bounce_header(bounce, &text);
	size_t header = header_length(buf_span(&text));
	CHECK(span_starts_with(span_skip(buf_span(&text), header), SPAN("This is a MIME")));
	bounce_notification(bounce, &text);
	bounce_report(bounce, &text);
	bounce_original_begin(bounce, &text);
	bounce_end(bounce, &text);
	CHECK(!text.overflow && memchr(text.ptr, '\0', text.len) == NULL);
	CHECK(count_lines(buf_span(&text), SPAN("--=_mark_=")) == 4);
	CHECK(count_lines(span_skip(buf_span(&text), header), SPAN("Final-Recipient:")) == 2);
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct span rest, words[8];
	if (size < 1 || size > 20000)
		return 0;
	if (!ready)
		set_up();
	ready = true;
	rest = span_new(data + 1, size - 1);
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		words[i] = rest.ptr == NULL ? SPAN_EMPTY : span_split(&rest, '\n');
	/* Addresses that were taken in hold no control bytes. */
	struct span sender = span_is_printable(words[0]) ? words[0] : SPAN_EMPTY;
	struct span original = span_is_printable(words[1]) ? words[1] : SPAN_EMPTY;
	struct span orcpt = span_is_printable(words[2]) ? words[2] : SPAN_EMPTY;
	struct bounce_recipient recipients[2] = {
		{.address = sender, .original = original, .orcpt = orcpt, .dsn = words[3],
			.text = words[4], .remote_mta = words[5], .diagnostic = words[6],
			.status = data[0] >> 5},
		{.address = original, .original = sender, .orcpt = SPAN_EMPTY, .dsn = words[5],
			.text = words[6], .remote_mta = words[3], .diagnostic = SPAN_EMPTY},
	};
	struct bounce_request request = {.kind = data[0] % 4, .queue_id = SPAN("4ABCDEF"),
		.sender = sender, .envid = words[7], .arrival_ms = 1700000000000,
		.will_retry_until_ms = 1700000900000, .recipients = recipients, .recipient_count = 2};
	struct bounce bounce = {.request = &request, .reporter = "mx.example.test",
		.mail_name = "Tambo", .origin = "example.test", .recipient = sender,
		.sender = sender, .boundary = SPAN("=_mark_="), .date = {1700000000, 0},
		.utf8 = (data[0] & 4) != 0, .eight_bit = (data[0] & 8) != 0, .whole = (data[0] & 16) != 0};
	check_report(&bounce);
	return 0;
}
