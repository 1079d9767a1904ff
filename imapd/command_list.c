/* LIST and LSUB (RFC 3501 6.3.8 and 6.3.9; RFC 5258; RFC 6154; RFC 3348). Every answer carries the
 * children and special-use attributes: clients that know them need no second command, Outlook wants
 * them in LSUB too.
 * SPDX-License-Identifier: ISC */
#include "imap/command.h"
#include "imap/list_pattern.h"
#include "imap/write.h"
#include "imapd/command.h"
#include "store/store.h"

#define YIELD_EVERY 512

struct listing {
	struct command *command;
	const struct imap_list *list;
	struct span *patterns; /* reference and pattern joined */
	bool lsub;
};

static bool matches(const struct listing *listing, struct span name)
{
	for (size_t i = 0; i < listing->list->pattern_count; i++)
		if (imap_list_match(listing->patterns[i], name, STORE_SEPARATOR) == IMAP_LIST_YES)
			return true;
	return false;
}

static void add(struct buf *out, const char *attribute, bool *first)
{
	if (!*first)
		buf_append_char(out, ' ');
	buf_append_cstr(out, attribute);
	*first = false;
}

static void write_attributes(
	const struct listing *listing, const struct store_entry *entry, struct buf *out)
{
	unsigned options = listing->list->options;
	bool first = true;
	if ((entry->flags & STORE_EXISTS) == 0) {
		if ((options & IMAP_LIST_EXTENDED) != 0)
			add(out, "\\NonExistent", &first);
		add(out, "\\Noselect", &first);
	}
	if (!listing->lsub && (entry->flags & STORE_SUBSCRIBED) != 0 &&
		(options & (IMAP_LIST_RETURN_SUBSCRIBED | IMAP_LIST_SELECT_SUBSCRIBED)) != 0)
		add(out, "\\Subscribed", &first);
	add(out, (entry->flags & STORE_HAS_CHILDREN) != 0 ? "\\HasChildren" : "\\HasNoChildren",
		&first);
	if (store_use_name(entry->use) != NULL)
		add(out, store_use_name(entry->use), &first);
}

static void send_entry(
	const struct listing *listing, const struct store_entry *entry, bool child_info)
{
	struct buf line = BUF_INIT(64 * 1024);
	buf_append_cstr(&line, listing->lsub ? "* LSUB (" : "* LIST (");
	write_attributes(listing, entry, &line);
	buf_append_format(&line, ") \"%c\" ", STORE_SEPARATOR);
	imap_write_astring(entry->name, &line);
	if (child_info)
		buf_append_cstr(&line, " (\"CHILDINFO\" (\"SUBSCRIBED\"))");
	buf_append_cstr(&line, "\r\n");
	connection_write(listing->command->connection, buf_span(&line));
	buf_done(&line);
}

static void consider_list(const struct listing *listing, const struct store_entry *entry)
{
	unsigned options = listing->list->options;
	bool subscribed = (entry->flags & STORE_SUBSCRIBED) != 0;
	bool child_info = false;
	if ((options & IMAP_LIST_SELECT_SPECIAL_USE) != 0 && entry->use == STORE_USE_NONE)
		return;
	if ((options & IMAP_LIST_SELECT_SUBSCRIBED) != 0) {
		child_info = (options & IMAP_LIST_SELECT_RECURSIVE) != 0 &&
			     (entry->flags & STORE_CHILD_SUBSCRIBED) != 0;
		if (!subscribed && !child_info)
			return;
	} else if ((entry->flags & (STORE_EXISTS | STORE_HAS_CHILDREN)) == 0) {
		return; /* only subscribed, not there */
	}
	if (matches(listing, entry->name))
		send_entry(listing, entry, child_info);
}

/* RFC 3501 6.3.9: with "%" a name that is not subscribed stands for those below it that are. */
static void consider_lsub(const struct listing *listing, const struct store_entry *entry)
{
	struct store_entry shown = *entry;
	if (!matches(listing, entry->name))
		return;
	if ((entry->flags & STORE_SUBSCRIBED) != 0) {
		shown.flags |= STORE_EXISTS;
	} else {
		struct span pattern = listing->patterns[0];
		bool percent = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '%';
		if (!percent || (entry->flags & STORE_CHILD_SUBSCRIBED) == 0)
			return;
		shown.flags &= ~(uint32_t)STORE_EXISTS;
	}
	send_entry(listing, &shown, false);
}

static bool join_patterns(struct listing *listing)
{
	const struct imap_list *list = listing->list;
	struct arena *arena = listing->command->arena;
	listing->patterns = ARENA_ARRAY(arena, struct span, list->pattern_count);
	if (listing->patterns == NULL)
		return false;
	for (size_t i = 0; i < list->pattern_count; i++) {
		size_t len = list->reference.len + list->patterns[i].len;
		char *joined = arena_alloc(arena, len + 1);
		if (joined == NULL)
			return false;
		memcpy(joined, list->reference.ptr, list->reference.len);
		memcpy(joined + list->reference.len, list->patterns[i].ptr, list->patterns[i].len);
		listing->patterns[i] = span_new(joined, len);
	}
	return true;
}

static void run(struct command *command, const struct imap_list *list, bool lsub)
{
	struct listing listing = {.command = command, .list = list, .lsub = lsub};
	struct store_entry *entries;
	size_t count;
	if (!join_patterns(&listing)) {
		command_no(command, "[LIMIT] Too long");
		return;
	}
	int error = store_list(command->session->store, command->arena, &entries, &count);
	if (error != 0) {
		command_failed(command, error);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (lsub)
			consider_lsub(&listing, &entries[i]);
		else
			consider_list(&listing, &entries[i]);
		if (i % YIELD_EVERY == YIELD_EVERY - 1)
			(void)task_yield();
	}
	command_ok(command, lsub ? "Lsub completed." : "List completed.");
}

void command_list(struct command *command)
{
	struct imap_list list;
	if (!imap_parse_list(&command->parser, &list)) {
		command_bad(command, NULL);
		return;
	}
	/* An empty pattern asks for the separator (RFC 3501 6.3.8). */
	if ((list.options & IMAP_LIST_EXTENDED) == 0 && list.patterns[0].len == 0) {
		connection_format(command->connection, "* LIST (\\Noselect) \"%c\" \"\"\r\n",
			STORE_SEPARATOR);
		command_ok(command, "List completed.");
		return;
	}
	run(command, &list, false);
}

void command_lsub(struct command *command)
{
	struct imap_list list;
	if (!imap_parse_list(&command->parser, &list) || (list.options & IMAP_LIST_EXTENDED) != 0) {
		command_bad(command, NULL);
		return;
	}
	run(command, &list, true);
}
