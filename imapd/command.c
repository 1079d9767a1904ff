/* The table of commands after login and the running of one. RFC 3501 section 6.
 * SPDX-License-Identifier: ISC */
#include "imapd/command.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "imap/command.h"
#include "imapd/update.h"

#define ARENA_CAP (8 * 1024 * 1024)
#define TEXT_CAP (1024 * 1024)
#define DROP_MAX (256 * 1024 * 1024)

enum phase { ANY = 3, AUTHENTICATED = 3, SELECTED = 2 };
enum form { PLAIN = 1, WITH_UID = 2, BOTH = 3 };

struct row {
	const char *name;
	enum phase phases; /* bit 1: nothing selected, bit 2: a mailbox is */
	enum form forms;
	bool keep_expunges; /* RFC 3501 7.4.1: not while answering FETCH, STORE, SEARCH by number */
	void (*run)(struct command *command);
};

static const struct row COMMANDS[] = {
	{"APPEND", AUTHENTICATED, PLAIN, false, command_append},
	{"CAPABILITY", ANY, PLAIN, false, command_capability},
	{"CHECK", SELECTED, PLAIN, false, command_check},
	{"CLOSE", SELECTED, PLAIN, false, command_close},
	{"COPY", SELECTED, BOTH, false, command_copy},
	{"CREATE", AUTHENTICATED, PLAIN, false, command_create},
	{"DELETE", AUTHENTICATED, PLAIN, false, command_delete},
	{"ENABLE", AUTHENTICATED, PLAIN, false, command_enable},
	{"EXAMINE", AUTHENTICATED, PLAIN, true, command_examine},
	{"EXPUNGE", SELECTED, BOTH, false, command_expunge},
	{"FETCH", SELECTED, BOTH, true, command_fetch},
	{"ID", ANY, PLAIN, false, command_id},
	{"IDLE", AUTHENTICATED, PLAIN, false, command_idle},
	{"LIST", AUTHENTICATED, PLAIN, false, command_list},
	{"LOGOUT", ANY, PLAIN, false, command_logout},
	{"LSUB", AUTHENTICATED, PLAIN, false, command_lsub},
	{"MOVE", SELECTED, BOTH, false, command_move},
	{"NAMESPACE", AUTHENTICATED, PLAIN, false, command_namespace},
	{"NOOP", ANY, PLAIN, false, command_noop},
	{"RENAME", AUTHENTICATED, PLAIN, false, command_rename},
	{"SEARCH", SELECTED, BOTH, true, command_search},
	{"SELECT", AUTHENTICATED, PLAIN, true, command_select},
	{"STATUS", AUTHENTICATED, PLAIN, false, command_status},
	{"STORE", SELECTED, BOTH, true, command_store},
	{"SUBSCRIBE", AUTHENTICATED, PLAIN, false, command_subscribe},
	{"UNSELECT", SELECTED, PLAIN, false, command_unselect},
	{"UNSUBSCRIBE", AUTHENTICATED, PLAIN, false, command_unsubscribe},
};

static const struct {
	int error;
	const char *text;
	bool is_logged; /* the administrator's trouble, not the client's */
} ERRORS[] = {
	{-ENOENT, "[NONEXISTENT] Mailbox does not exist", false},
	{-EEXIST, "[ALREADYEXISTS] Mailbox already exists", false},
	{-EINVAL, "[CANNOT] Invalid mailbox name", false},
	{-EPERM, "[CANNOT] Not possible with this mailbox", false},
	{-EACCES, "[NOPERM] Permission denied", true},
	{-EROFS, "[NOPERM] Mailbox is read-only", false},
	{-E2BIG, "[LIMIT] Too many, too long or too deep", false},
	{-EFBIG, "[LIMIT] Too large", false},
	{-ENOSPC, "[OVERQUOTA] Disk is full", true},
	{-EDQUOT, "[OVERQUOTA] Quota exceeded", true},
	{-EBUSY, "[INUSE] Mailbox is in use", false},
	{-ETIMEDOUT, "[INUSE] Timeout while waiting for a lock", true},
};

static void answer(struct command *command, enum command_status status, const char *text)
{
	command->status = status;
	buf_reset(&command->text);
	buf_append_cstr(&command->text, text);
}

void command_ok(struct command *command, const char *text)
{
	answer(command, COMMAND_OK, text);
}

void command_no(struct command *command, const char *text)
{
	answer(command, COMMAND_NO, text);
}

void command_bad(struct command *command, const char *text)
{
	if (text == NULL)
		text = command->parser.error;
	answer(command, COMMAND_BAD, text == NULL ? "Invalid arguments" : text);
}

static void log_failure(const struct command *command, int error)
{
	log_warning(NULL, "user=<%s>: %.*s failed: %s", command->session->user,
		SPAN_ARGS(command->name), strerror(-error));
}

void command_failed(struct command *command, int error)
{
	for (size_t i = 0; i < ARRAY_LEN(ERRORS); i++) {
		if (ERRORS[i].error != error)
			continue;
		if (ERRORS[i].is_logged)
			log_failure(command, error);
		command_no(command, ERRORS[i].text);
		return;
	}
	if (error == -ESTALE) {
		update_mailbox_gone(command->session);
		command_no(command, "[NONEXISTENT] Mailbox was deleted");
		return;
	}
	log_failure(command, error);
	command_no(command, "[SERVERBUG] Internal error, see the server's log");
}

static bool resolve(struct command *command, struct imap_set *set)
{
	struct mailbox *mailbox = command->session->mailbox;
	size_t count = mailbox_count(mailbox);
	if (command->uid) {
		imap_set_resolve(set, count == 0 ? 0 : mailbox_at(mailbox, count - 1)->uid);
		return true;
	}
	if (imap_set_largest(set) > count) {
		command_bad(command, "There is no such message number");
		return false;
	}
	imap_set_resolve(set, (uint32_t)count);
	return true;
}

/* Indexes [*ret_first, *ret_end) of the messages in one range of a resolved set. */
static void range_of(
	struct command *command, const struct imap_range *range, size_t *ret_first, size_t *ret_end)
{
	struct mailbox *mailbox = command->session->mailbox;
	size_t count = mailbox_count(mailbox);
	if (command->uid) {
		*ret_first = mailbox_find(mailbox, range->first);
		*ret_end =
			range->last == UINT32_MAX ? count : mailbox_find(mailbox, range->last + 1);
	} else {
		*ret_first = range->first - 1;
		*ret_end = range->last > count ? count : range->last;
	}
}

bool command_messages(
	struct command *command, struct imap_set *set, uint32_t **ret_indexes, size_t *ret_count)
{
	size_t total = 0, first, end;
	if (!resolve(command, set))
		return false;
	for (size_t i = 0; i < set->count; i++) {
		range_of(command, &set->ranges[i], &first, &end);
		total += end > first ? end - first : 0;
	}
	/* Four bytes for each message of the mailbox: more than the arena when that is huge. */
	uint32_t *indexes = arena_array(command->arena, total + 1, sizeof(*indexes));
	if (indexes == NULL) {
		command_no(command, "[LIMIT] Too many messages at once");
		return false;
	}
	size_t count = 0;
	for (size_t i = 0; i < set->count; i++) {
		range_of(command, &set->ranges[i], &first, &end);
		for (size_t index = first; index < end; index++)
			indexes[count++] = (uint32_t)index;
	}
	*ret_indexes = indexes;
	*ret_count = count;
	return true;
}

bool command_uids(
	struct command *command, struct imap_set *set, uint32_t **ret_uids, size_t *ret_count)
{
	if (!command_messages(command, set, ret_uids, ret_count))
		return false;
	for (size_t i = 0; i < *ret_count; i++)
		(*ret_uids)[i] = mailbox_at(command->session->mailbox, (*ret_uids)[i])->uid;
	return true;
}

bool command_wants_literal(struct connection *connection)
{
	struct imap_parser parser;
	struct imap_append append;
	struct arena arena;
	struct span tag, name;
	bool uid;
	arena_init(&arena, ARENA_CAP);
	imap_parser_init(&parser, buf_span(&connection->frame.bytes), &arena);
	bool wants = imap_parse_command(&parser, &tag, &name, &uid) && !uid &&
		     span_equal_nocase(name, SPAN("APPEND")) && imap_parse_append(&parser, &append);
	arena_done(&arena);
	return wants;
}

static const struct row *find_row(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++)
		if (span_equal_nocase(name, span_from_cstr(COMMANDS[i].name)))
			return &COMMANDS[i];
	return NULL;
}

static void run_row(struct command *command)
{
	const struct row *row = find_row(command->name);
	bool selected = command->session->mailbox != NULL;
	if (row == NULL || (row->forms & (command->uid ? WITH_UID : PLAIN)) == 0) {
		command_bad(command, "Unknown command");
	} else if ((row->phases & (selected ? 2 : 1)) == 0) {
		command_bad(command, "No mailbox is selected");
	} else {
		/* The UID forms name messages in a way that an EXPUNGE does not disturb. */
		command->keep_expunges = row->keep_expunges && !command->uid;
		row->run(command);
	}
}

static void send_tagged(struct command *command)
{
	static const char *const WORDS[] = {"OK", "NO", "BAD"};
	struct buf *text = &command->text;
	if (text->overflow) {
		buf_reset(text);
		buf_append_cstr(text, "Done.");
	}
	connection_write(
		command->connection, span_is_empty(command->tag) ? SPAN("*") : command->tag);
	connection_write(command->connection, SPAN(" "));
	connection_write_cstr(command->connection, WORDS[command->status]);
	connection_write(command->connection, SPAN(" "));
	connection_write(command->connection, buf_span(text));
	connection_write(command->connection, SPAN("\r\n"));
}

/* A message that no function has read: APPEND was wrong in some way. */
static void drop_literal(struct command *command)
{
	struct imap_frame *frame = &command->connection->frame;
	if (!command->literal_follows || command->literal_used)
		return;
	if (frame->literal_sync)
		return;
	/* RFC 7888 4: what the client sends all the same is read and forgotten, or it is hung up on. */
	if (frame->literal_size > DROP_MAX) {
		connection_write_cstr(
			command->connection, "* BYE [TOOBIG] Message is too large\r\n");
		command->session->logged_out = true;
		return;
	}
	connection_flush(command->connection);
	if (!connection_drop(command->connection, frame->literal_size, 60 * 1000))
		command->connection->failed = true;
	imap_frame_skip_line(frame);
}

void command_run(struct session *session, bool literal_follows)
{
	struct connection *connection = &session->connection;
	struct arena arena;
	struct command command = {.session = session,
		.connection = connection,
		.arena = &arena,
		.literal_follows = literal_follows};
	arena_init(&arena, ARENA_CAP);
	buf_init(&command.text, TEXT_CAP);
	/* APPEND goes on reading into the frame: what was parsed must stay where it is. */
	struct span input = buf_span(&connection->frame.bytes);
	imap_parser_init(
		&command.parser, literal_follows ? arena_dup(&arena, input) : input, &arena);
	session->commands++;
	if (imap_parse_command(&command.parser, &command.tag, &command.name, &command.uid))
		run_row(&command);
	else
		command_bad(&command, NULL);
	if (command.status != COMMAND_BAD && !session->logged_out && !command.is_current)
		update_send(session, command.keep_expunges ? 0 : UPDATE_EXPUNGES, command.uid);
	send_tagged(&command);
	drop_literal(&command);
	buf_done(&command.text);
	arena_done(&arena);
	connection->bad_in_row = command.status == COMMAND_BAD ? connection->bad_in_row + 1 : 0;
}
