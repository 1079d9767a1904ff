/* STORE, COPY and MOVE (RFC 3501 6.4.6 and 6.4.7, RFC 4315 3, RFC 6851, RFC 7162 3.1.3).
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "imap/command.h"
#include "imapd/command.h"
#include "imapd/update.h"

#define MODIFIED_CAP (16 * 1024 * 1024)
#define YIELD_EVERY 256

/* [MODIFIED set] from the UIDs in failed: UIDs, or sequence numbers. */
static void answer_modified(struct command *command, const struct buf *failed)
{
	struct mailbox *mailbox = command->session->mailbox;
	struct imap_set_writer writer = {.out = &command->text};
	size_t count = failed->len / sizeof(uint32_t);
	command_ok(command, "[MODIFIED ");
	for (size_t i = 0; i < count; i++) {
		uint32_t uid;
		memcpy(&uid, failed->ptr + i * sizeof(uid), sizeof(uid));
		imap_set_write_number(
			&writer, command->uid ? uid : (uint32_t)mailbox_find(mailbox, uid) + 1);
	}
	imap_set_write_number(&writer, 0);
	buf_append_cstr(&command->text, "] Conditional store failed for some messages.");
}

static bool is_in(const struct buf *failed, uint32_t uid)
{
	size_t low = 0, high = failed->len / sizeof(uint32_t);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint32_t at;
		memcpy(&at, failed->ptr + middle * sizeof(at), sizeof(at));
		if (at == uid)
			return true;
		if (at < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* The new flags of what was named; with .SILENT only the new mod-sequences, where wanted. */
static void send_results(struct command *command, const uint32_t *uids, size_t count, bool silent,
	const struct buf *failed)
{
	struct session *session = command->session;
	if (silent && !session->condstore)
		return;
	for (size_t i = 0; i < count && !command->connection->failed; i++) {
		size_t index = mailbox_find(session->mailbox, uids[i]);
		if (index >= mailbox_count(session->mailbox) ||
			mailbox_at(session->mailbox, index)->uid != uids[i] ||
			is_in(failed, uids[i]))
			continue;
		update_send_flags(session, index, command->uid, silent);
		if (i % YIELD_EVERY == YIELD_EVERY - 1)
			(void)task_yield();
	}
}

void command_store(struct command *command)
{
	struct session *session = command->session;
	struct imap_store store;
	uint32_t *uids;
	size_t count;
	if (!imap_parse_space(&command->parser) || !imap_parse_store(&command->parser, &store)) {
		command_bad(command, NULL);
		return;
	}
	if (!command_uids(command, &store.set, &uids, &count))
		return;
	if (store.unchanged_since_given)
		session->condstore = true;
	static const enum store_operation OPERATIONS[] = {[IMAP_STORE_SET] = STORE_SET,
		[IMAP_STORE_ADD] = STORE_ADD,
		[IMAP_STORE_REMOVE] = STORE_REMOVE};
	struct store_request request = {.uids = uids,
		.uid_count = count,
		.operation = OPERATIONS[store.operation],
		.flags = store.flags.system,
		.keywords = store.flags.keywords,
		.keyword_count = store.flags.keyword_count,
		.has_unchanged_since = store.unchanged_since_given,
		.unchanged_since = store.unchanged_since,
		.silent = true};
	struct buf failed = BUF_LARGE(MODIFIED_CAP);
	int error = mailbox_is_read_only(session->mailbox)
			    ? -EROFS
			    : mailbox_store(session->mailbox, &request, &failed);
	if (error != 0) {
		command_failed(command, error);
	} else {
		if (mailbox_keyword_count(session->mailbox) != session->keywords_told)
			update_send_keywords(session);
		send_results(command, uids, count, store.silent, &failed);
		if (failed.len > 0)
			answer_modified(command, &failed);
		else
			command_ok(command, "Store completed.");
	}
	buf_done(&failed);
}

static void write_copyuid(const struct copy_result *result, struct buf *out)
{
	buf_append_format(out, "[COPYUID %u ", result->uidvalidity);
	struct imap_set_writer from = {.out = out};
	for (size_t i = 0; i < result->count; i++)
		imap_set_write_number(&from, result->source_uids[i]);
	imap_set_write_number(&from, 0);
	buf_append_char(out, ' ');
	struct imap_set_writer to = {.out = out};
	for (size_t i = 0; i < result->count; i++)
		imap_set_write_number(&to, result->uids[i]);
	imap_set_write_number(&to, 0);
	buf_append_char(out, ']');
}

static void answer_copy(struct command *command, const struct copy_result *result, bool move)
{
	const char *done = move ? "Move completed." : "Copy completed.";
	if (result->count == 0) {
		/* A UID that is gone is no error (RFC 3501 6.4.8). */
		command_ok(command, done);
		return;
	}
	struct buf code = BUF_LARGE(MODIFIED_CAP);
	write_copyuid(result, &code);
	if (code.overflow) {
		command_ok(command, done);
	} else if (move) {
		/* RFC 6851 4.3: told before the EXPUNGEs */
		connection_write_cstr(command->connection, "* OK ");
		connection_write(command->connection, buf_span(&code));
		connection_write_cstr(command->connection, " Moved UIDs.\r\n");
		command_ok(command, done);
	} else {
		command_ok(command, "");
		buf_append(&command->text, buf_span(&code));
		buf_append_format(&command->text, " %s", done);
	}
	buf_done(&code);
}

static void copy_or_move(struct command *command, bool move)
{
	struct session *session = command->session;
	struct imap_parser *parser = &command->parser;
	struct copy_result result = {0};
	struct imap_set set;
	struct span to;
	uint32_t *uids;
	size_t count;
	if (!imap_parse_space(parser) || !imap_parse_set(parser, &set) ||
		!imap_parse_space(parser) || !imap_parse_mailbox(parser, &to) ||
		!imap_parse_end(parser)) {
		command_bad(command, NULL);
		return;
	}
	if (!command_uids(command, &set, &uids, &count))
		return;
	int error = move && mailbox_is_read_only(session->mailbox)
			    ? -EROFS
			    : store_exists(session->store, to);
	if (error == 0)
		error = mailbox_copy(session->mailbox, uids, count, to, move, &result);
	if (error == -ENOENT)
		command_no(command, "[TRYCREATE] Mailbox does not exist");
	else if (error != 0)
		command_failed(command, error);
	else
		answer_copy(command, &result, move);
	if (error != 0 && result.count > 0) {
		/* Some have moved: the client learns which. */
		struct buf code = BUF_LARGE(MODIFIED_CAP);
		write_copyuid(&result, &code);
		connection_write_cstr(command->connection, "* OK ");
		connection_write(command->connection, buf_span(&code));
		connection_write_cstr(command->connection, " Moved UIDs.\r\n");
		buf_done(&code);
	}
	copy_result_done(&result);
}

void command_copy(struct command *command)
{
	copy_or_move(command, false);
}

void command_move(struct command *command)
{
	copy_or_move(command, true);
}
