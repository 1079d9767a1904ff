/* SEARCH (RFC 3501 6.4.4, RFC 7162 3.1.5). Charsets: US-ASCII and UTF-8.
 * SPDX-License-Identifier: ISC */
#include "imapd/command.h"
#include "imapd/search.h"

#define PIECE 8192
#define YIELD_EVERY 512

struct found {
	struct buf line;
	uint64_t highest_modseq;
	bool any;
};

static void add(
	struct command *command, const struct message *message, size_t index, struct found *found)
{
	buf_append_char(&found->line, ' ');
	buf_append_u64(&found->line, command->uid ? message->uid : index + 1);
	found->any = true;
	if (message->modseq > found->highest_modseq)
		found->highest_modseq = message->modseq;
	if (found->line.len < PIECE)
		return;
	connection_write(command->connection, buf_span(&found->line));
	buf_reset(&found->line);
}

static void run(struct command *command, const struct imap_search *search)
{
	struct session *session = command->session;
	struct found found = {.line = BUF_INIT(PIECE + 64)};
	size_t count = mailbox_count(session->mailbox);
	int error = 0;
	buf_append_cstr(&found.line, "* SEARCH");
	for (size_t i = 0; i < count && !command->connection->failed; i++) {
		bool opened;
		if (search_matches(session, i, search->root, &opened, &error))
			add(command, mailbox_at(session->mailbox, i), i, &found);
		if (opened || i % YIELD_EVERY == YIELD_EVERY - 1)
			(void)task_yield();
	}
	if (search->modseq && found.any)
		buf_append_format(
			&found.line, " (MODSEQ %llu)", (unsigned long long)found.highest_modseq);
	buf_append_cstr(&found.line, "\r\n");
	connection_write(command->connection, buf_span(&found.line));
	buf_done(&found.line);
	if (error != 0)
		command_failed(command, error);
	else
		command_ok(command, "Search completed.");
}

void command_search(struct command *command)
{
	struct imap_search search;
	if (!imap_parse_space(&command->parser) || !imap_parse_search(&command->parser, &search)) {
		command_bad(command, NULL);
		return;
	}
	if (search.charset.len > 0 && !span_equal_nocase(search.charset, SPAN("UTF-8")) &&
		!span_equal_nocase(search.charset, SPAN("US-ASCII"))) {
		command_no(command, "[BADCHARSET (US-ASCII UTF-8)] Unknown charset");
		return;
	}
	if (search.modseq)
		command->session->condstore = true;
	search_prepare(command->session, search.root, command->arena);
	if (command->arena->overflow)
		command_no(command, "[LIMIT] Search is too large");
	else
		run(command, &search);
}
