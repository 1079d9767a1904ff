/* See message.h. The message is streamed: only the header is held, and only for -t.
 * SPDX-License-Identifier: ISC */
#include "commands/sendmail/message.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "mail/address_list.h"
#include "mail/header.h"
#include "queue/maildrop.h"

#define HEADER_MAX (8u * 1024 * 1024)
#define LIST_ARENA (256u * 1024 * 1024)
#define LIST_MAX MAILDROP_RECIPIENTS_MAX
#define FLUSH_AT (128u * 1024)

void addresses_add(struct address_texts *addresses, struct span list)
{
	struct arena arena;
	struct mailbox_list parsed;
	arena_init(&arena, LIST_ARENA);
	mailbox_list_parse(list, LIST_MAX, &arena, &parsed);
	if (parsed.truncated)
		fail(EX_DATAERR, "too many recipients");
	for (size_t i = 0; i < parsed.count; i++) {
		struct buf text = BUF_INIT(4096);
		if (parsed.items[i].kind != MAILBOX_ADDRESS || parsed.items[i].mailbox.len == 0)
			continue;
		mailbox_address(&parsed.items[i], &text);
		if (text.overflow || text.len > 2048 || !span_is_printable(buf_span(&text)))
			fail(EX_DATAERR, "bad recipient address");
		if ((addresses->count & (addresses->count - 1)) == 0)
			addresses->items = memory_resize(addresses->items,
				addresses->count == 0 ? 1 : addresses->count * 2, sizeof *addresses->items);
		addresses->items[addresses->count++] = buf_steal(&text);
	}
	arena_done(&arena);
}

/* The process that stores the message. */
struct drop {
	pid_t pid;
	int to, from; /* its standard input and output */
	struct maildrop_encoder encoder;
	struct buf out;
};

static void start_postdrop(struct drop *drop, struct conf *conf, const struct options *options)
{
	int in[2], out[2];
	char *path = command_path(conf, "postdrop");
	if (pipe(in) < 0 || pipe(out) < 0)
		fail(EX_OSERR, "pipe: %s", strerror(errno));
	drop->pid = fork();
	if (drop->pid < 0)
		fail(EX_OSERR, "fork: %s", strerror(errno));
	if (drop->pid == 0) {
		char minus_c[] = "-c", minus_r[] = "-r", name[] = "postdrop";
		char *dir = memory_dup_cstr(options->config_dir == NULL ? "" : options->config_dir);
		char *with_dir[] = {name, minus_r, minus_c, dir, NULL}, *without[] = {name, minus_r, NULL};
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		for (int i = 0; i < 2; i++) {
			close(in[i]);
			close(out[i]);
		}
		execv(path, options->config_dir == NULL ? without : with_dir);
		log_warning(NULL, "cannot run %s: %s", path, strerror(errno));
		_exit(EX_UNAVAILABLE);
	}
	close(in[0]);
	close(out[1]);
	drop->to = in[1];
	drop->from = out[0];
	buf_init(&drop->out, 4 * FLUSH_AT);
	free(path);
}

/* What postdrop said is the status of this command. */
static void finish_postdrop(struct drop *drop)
{
	int status;
	char text[64];
	close(drop->to);
	while (read(drop->from, text, sizeof text) > 0)
		;
	close(drop->from);
	while (waitpid(drop->pid, &status, 0) < 0)
		if (errno != EINTR)
			fail(EX_OSERR, "waitpid: %s", strerror(errno));
	if (!WIFEXITED(status))
		fail(EX_TEMPFAIL, "postdrop was ended by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		exit(WEXITSTATUS(status));
}

static void flush(struct drop *drop)
{
	struct span bytes = buf_span(&drop->out);
	while (bytes.len > 0) {
		ssize_t n = write(drop->to, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			/* It has ended, and told why. */
			finish_postdrop(drop);
			fail(EX_TEMPFAIL, "cannot write to postdrop");
		}
		bytes = span_skip(bytes, (size_t)n);
	}
	buf_reset(&drop->out);
}

static void put_content(struct drop *drop, struct span bytes)
{
	while (bytes.len > 0) {
		struct span piece = span_head(bytes, MAILDROP_CONTENT_MAX);
		maildrop_append(&drop->encoder, MAILDROP_CONTENT, piece, &drop->out);
		if (drop->out.len >= FLUSH_AT)
			flush(drop);
		bytes = span_skip(bytes, piece.len);
	}
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
	for (const char *at = user->pw_gecos; *at != '\0' && *at != ',' && *at != ';' && *at != '%'; at++) {
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
	buf_append_cstr(out, addresses.count > 0 ? addresses.items[0] :
		given != NULL ? given : user_name());
}

static void put_envelope(struct drop *drop, const struct options *options,
	const struct address_texts *recipients)
{
	struct buf sender = BUF_INIT(2048), name = BUF_INIT(1000);
	uint8_t dsn_return = options->dsn_return, flags = (uint8_t)(
		(options->eight_bit ? MAILDROP_8BITMIME : 0) | (options->smtputf8 ? MAILDROP_SMTPUTF8 : 0));
	sender_address(options, &sender);
	full_name(options, &name);
	if (sender.overflow || !span_is_printable(buf_span(&sender)))
		fail(EX_USAGE, "bad sender address");
	maildrop_begin(&drop->encoder, &drop->out);
	maildrop_append(&drop->encoder, MAILDROP_SENDER, buf_span(&sender), &drop->out);
	if (name.len > 0 && !name.overflow && span_is_printable(buf_span(&name)))
		maildrop_append(&drop->encoder, MAILDROP_FULL_NAME, buf_span(&name), &drop->out);
	if (options->envid != NULL)
		maildrop_append(&drop->encoder, MAILDROP_ENVID, span_from_cstr(options->envid), &drop->out);
	if (dsn_return != 0)
		maildrop_append(&drop->encoder, MAILDROP_RETURN, span_new(&dsn_return, 1), &drop->out);
	if (flags != 0)
		maildrop_append(&drop->encoder, MAILDROP_FLAGS, span_new(&flags, 1), &drop->out);
	for (size_t i = 0; i < recipients->count; i++) {
		maildrop_append_recipient(&drop->encoder, span_from_cstr(recipients->items[i]), SPAN_EMPTY,
			(uint8_t)options->notify, &drop->out);
		if (drop->out.len >= FLUSH_AT)
			flush(drop);
	}
	buf_done(&sender);
	buf_done(&name);
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
		while (bare.len > 0 && (bare.ptr[bare.len - 1] == '\n' || bare.ptr[bare.len - 1] == '\r'))
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
	static const char *const names[2][3] = {{"Resent-To", "Resent-Cc", "Resent-Bcc"},
		{"To", "Cc", "Bcc"}};
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

void message_submit(struct conf *conf, const struct options *options, FILE *in)
{
	struct drop drop = {0};
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
		fail(EX_USAGE, "Recipient addresses must be specified on the command line or via the -t option");
	}
	signal(SIGPIPE, SIG_IGN);
	start_postdrop(&drop, conf, options);
	put_envelope(&drop, options, &recipients);
	put_content(&drop, buf_span(&header));
	while (next_line(&input, &line))
		put_content(&drop, line);
	maildrop_end(&drop.encoder, &drop.out);
	flush(&drop);
	finish_postdrop(&drop);
	free(input.line);
	buf_done(&header);
	buf_done(&drop.out);
}
