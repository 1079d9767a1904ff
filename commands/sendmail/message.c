/* See message.h. The message is streamed: only the header is held, and only for -t.
 * SPDX-License-Identifier: ISC */
#include "commands/sendmail/message.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "commands/sendmail/drop.h"
#include "mail/address_list.h"
#include "mail/header.h"

#define HEADER_MAX (8u * 1024 * 1024)
#define LIST_ARENA (256u * 1024 * 1024)
#define LIST_MAX 1000000

void addresses_add(struct address_texts *addresses, struct span list)
{
	struct arena arena;
	struct address_list parsed;
	arena_init(&arena, LIST_ARENA);
	address_list_parse(list, LIST_MAX, &arena, &parsed);
	if (parsed.truncated)
		fail(EX_DATAERR, "too many recipients");
	for (size_t i = 0; i < parsed.count; i++) {
		struct buf text = BUF_INIT(4096);
		if (parsed.items[i].kind != ADDRESS_MAILBOX || parsed.items[i].mailbox.len == 0)
			continue;
		address_item_address(&parsed.items[i], &text);
		if (text.overflow || text.len > 2048 || !span_is_printable(buf_span(&text)))
			fail(EX_DATAERR, "bad recipient address");
		if ((addresses->count & (addresses->count - 1)) == 0)
			addresses->items = memory_resize(addresses->items,
				addresses->count == 0 ? 1 : addresses->count * 2,
				sizeof *addresses->items);
		addresses->items[addresses->count++] = buf_steal(&text);
	}
	arena_done(&arena);
}

static const char *user_name(void)
{
	static char name[32];
	const struct passwd *user = getpwuid(getuid());
	if (user != NULL)
		return user->pw_name;
	snprintf(name, sizeof name, "%u", (unsigned)getuid());
	return name;
}

/* -F, NAME, or the user's full name, in which '&' stands for the login name. */
static void full_name(const struct options *options, struct buf *out)
{
	const char *given = options->full_name != NULL ? options->full_name : getenv("NAME");
	if (given != NULL) {
		buf_append_cstr(out, given);
		return;
	}
	const struct passwd *user = getpwuid(getuid());
	if (user == NULL)
		return;
	for (const char *at = user->pw_gecos; *at != '\0' && *at != ',' && *at != ';' && *at != '%';
		at++) {
		if (*at == '&')
			buf_append_cstr(out, user->pw_name);
		else
			buf_append_char(out, *at);
	}
}

static void sender_address(const struct options *options, struct buf *out)
{
	struct address_texts addresses = {0};
	const char *given = options->sender;
	if (given != NULL && (given[0] == '\0' || strcmp(given, "<>") == 0))
		return;
	if (given != NULL)
		addresses_add(&addresses, span_from_cstr(given));
	buf_append_cstr(out, addresses.count > 0 ? addresses.items[0]
			     : given != NULL	 ? given
						 : user_name());
}

/* The input, line by line: without "From " lines before the header, up to a lone dot unless -i. */
struct input {
	FILE *in;
	char *line;
	size_t alloc;
	bool dot_is_data, started;
};

static bool next_line(struct input *input, struct span *ret_line)
{
	for (;;) {
		ssize_t n = getline(&input->line, &input->alloc, input->in);
		if (n < 0 && ferror(input->in))
			fail(EX_DATAERR, "cannot read the message: %s", strerror(errno));
		if (n < 0)
			return false;
		struct span line = span_new(input->line, (size_t)n), bare = line;
		while (bare.len > 0 &&
			(bare.ptr[bare.len - 1] == '\n' || bare.ptr[bare.len - 1] == '\r'))
			bare.len--;
		if (!input->dot_is_data && span_equal(bare, SPAN(".")))
			return false;
		while (bare.len > 0 && bare.ptr[0] == '>')
			bare = span_skip(bare, 1);
		if (!input->started && span_starts_with(bare, SPAN("From ")))
			continue;
		input->started = true;
		*ret_line = line;
		return true;
	}
}

/* Reads the header with its empty line. */
static void read_header(struct input *input, struct buf *header)
{
	struct span line;
	while (next_line(input, &line)) {
		buf_append(header, line);
		if (header->overflow)
			fail(EX_DATAERR, "the header is too long");
		if (line.ptr[0] == '\n' || span_equal(line, SPAN("\r\n")))
			break;
	}
}

/* -t: Resent- fields count alone when there are any. */
static void extract(struct span header, struct address_texts *recipients)
{
	static const char *const names[2][3] = {
		{"Resent-To", "Resent-Cc", "Resent-Bcc"}, {"To", "Cc", "Bcc"}};
	for (size_t set = 0; set < 2; set++) {
		struct header_reader reader;
		struct header_field field;
		bool any = false;
		header_reader_init(&reader, header);
		while (header_next(&reader, &field) == HEADER_FIELD && field.valid)
			for (size_t i = 0; i < 3; i++)
				if (span_equal_nocase(field.name, span_from_cstr(names[set][i]))) {
					any = true;
					addresses_add(recipients, field.value);
				}
		if (any)
			return;
	}
}

static void put_envelope(
	struct drop *drop, const struct options *options, const struct address_texts *recipients)
{
	struct buf sender = BUF_INIT(2048), name = BUF_INIT(1000);
	sender_address(options, &sender);
	full_name(options, &name);
	if (sender.overflow || !span_is_printable(buf_span(&sender)))
		fail(EX_USAGE, "bad sender address");
	struct drop_envelope envelope = {.sender = buf_span(&sender),
		.full_name = buf_span(&name),
		.envid = span_from_cstr(options->envid),
		.dsn_return = options->dsn_return,
		.eight_bit = options->eight_bit,
		.smtputf8 = options->smtputf8};
	drop_envelope(drop, &envelope);
	for (size_t i = 0; i < recipients->count; i++)
		drop_recipient(
			drop, span_from_cstr(recipients->items[i]), SPAN_EMPTY, options->notify);
	buf_done(&sender);
	buf_done(&name);
}

void message_submit(struct conf *conf, const struct options *options, FILE *in)
{
	struct drop drop;
	struct address_texts recipients = {0};
	struct input input = {.in = in, .dot_is_data = options->dot_is_data};
	struct buf header = BUF_INIT(HEADER_MAX);
	struct span line;
	for (int i = 0; i < options->recipient_count; i++)
		addresses_add(&recipients, span_from_cstr(options->recipients[i]));
	if (options->extract) {
		read_header(&input, &header);
		extract(buf_span(&header), &recipients);
		if (recipients.count == 0)
			fail(EX_USAGE, "No recipient addresses found in message header");
	} else if (recipients.count == 0) {
		fail(EX_USAGE,
			"Recipient addresses must be specified on the command line or via the -t option");
	}
	drop_start(&drop, conf, options);
	put_envelope(&drop, options, &recipients);
	drop_content(&drop, buf_span(&header));
	while (next_line(&input, &line))
		drop_content(&drop, line);
	int status = drop_finish(&drop, true);
	if (status != EX_OK)
		exit(status); /* postdrop has told why */
	free(input.line);
	buf_done(&header);
}
