/* Lists of destinations; see alias.h.
 * SPDX-License-Identifier: ISC */
#include "local/alias.h"

#include "base/ascii.h"
#include "mail/address_list.h"

struct list {
	struct arena *arena;
	struct alias_target *items;
	size_t count, room;
};

static enum alias_result add(struct list *list, enum alias_kind kind, struct span text)
{
	if (list->count >= ALIAS_TARGETS_MAX)
		return ALIAS_TOO_MANY;
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 16 : list->room * 2;
		list->items = arena_grow(list->arena, list->items, list->count, room,
			sizeof(*list->items));
		list->room = room;
	}
	if (list->items == NULL)
		return ALIAS_TOO_MANY;
	list->items[list->count++] = (struct alias_target){kind, arena_dup(list->arena, text)};
	return list->arena->overflow ? ALIAS_TOO_MANY : ALIAS_OK;
}

/* The length of the item at the begin of text: up to a comma or line end outside quotes, comments
 * and angle brackets. False: a quote is not closed. */
static bool item_length(struct span text, size_t *ret_length)
{
	unsigned comment = 0;
	bool quoted = false;
	size_t i = 0;
	for (; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '\\' && i + 1 < text.len && (quoted || comment > 0)) {
			i++;
		} else if (quoted) {
			if (c == '\n')
				return false;
			quoted = c != '"';
		} else if (comment > 0) {
			comment += c == '(' ? 1U : c == ')' ? UINT32_MAX : 0U;
			if (c == '\n')
				comment = 0;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '(' && comment < 50) {
			comment++;
		}
		if (!quoted && comment == 0 && (c == ',' || c == '\n'))
			break;
	}
	*ret_length = i;
	return !quoted;
}

/* Takes "..." off, with its backslashes, when it surrounds the whole item. */
static struct span unquote(struct span item, struct arena *arena)
{
	if (item.len < 2 || item.ptr[0] != '"' || item.ptr[item.len - 1] != '"')
		return item;
	char *out = arena_alloc(arena, item.len);
	size_t used = 0;
	if (out == NULL)
		return item;
	for (size_t i = 1; i + 1 < item.len; i++) {
		char c = item.ptr[i];
		if (c == '"')
			return item; /* "a" <b@c>: not one quoted string */
		if (c == '\\' && i + 2 < item.len)
			c = item.ptr[++i];
		out[used++] = c;
	}
	return span_new(out, used);
}

static enum alias_result add_addresses(struct list *list, struct span item)
{
	struct address_list mailboxes;
	struct buf address = BUF_INIT(2048);
	enum alias_result result = ALIAS_OK;
	bool any = false;
	address_list_parse(item, 1000, list->arena, &mailboxes);
	for (size_t i = 0; result == ALIAS_OK && i < mailboxes.count; i++) {
		if (mailboxes.items[i].kind != ADDRESS_MAILBOX)
			continue;
		buf_reset(&address);
		buf_append(&address, mailboxes.items[i].mailbox);
		if (mailboxes.items[i].host.len > 0) {
			buf_append_char(&address, '@');
			buf_append(&address, mailboxes.items[i].host);
		}
		if (address.len == 0 || address.overflow || !span_is_printable(buf_span(&address))
			|| mailboxes.items[i].mailbox.len == 0)
			result = ALIAS_BAD;
		else
			result = add(list, ALIAS_ADDRESS, buf_span(&address));
		any = true;
	}
	buf_done(&address);
	return any ? result : ALIAS_BAD;
}

static enum alias_result add_item(struct list *list, struct span item)
{
	item = span_trim(item);
	if (item.len == 0)
		return ALIAS_OK;
	struct span plain = unquote(item, list->arena);
	if (plain.len == 0)
		return ALIAS_OK;
	if (memchr(plain.ptr, 0, plain.len) != NULL)
		return ALIAS_BAD;
	if (plain.ptr[0] == '|') {
		struct span command = unquote(span_trim(span_skip(plain, 1)), list->arena);
		return command.len == 0 ? ALIAS_BAD : add(list, ALIAS_COMMAND, command);
	}
	if (plain.ptr[0] == '/' && span_find_char(plain, '@') == SIZE_MAX)
		return add(list, ALIAS_FILE, plain);
	if (span_starts_with_nocase(plain, SPAN(":include:"))) {
		struct span path = unquote(span_trim(span_skip(plain, 9)), list->arena);
		return path.len == 0 || path.ptr[0] != '/' ? ALIAS_BAD : add(list, ALIAS_INCLUDE, path);
	}
	if (plain.ptr[0] == '\\') {
		struct span user = span_skip(plain, 1);
		return user.len == 0 || !span_is_printable(user) ? ALIAS_BAD
			: add(list, ALIAS_DIRECT, user);
	}
	return add_addresses(list, item);
}

static bool is_comment(struct span text, bool at_line_start)
{
	return at_line_start && text.len > 0 && text.ptr[0] == '#';
}

enum alias_result alias_parse(struct span text, bool is_file, struct arena *arena,
	struct alias_target **ret_targets, size_t *ret_count)
{
	struct list list = {.arena = arena};
	bool at_line_start = is_file;
	while (text.len > 0) {
		size_t length;
		if (is_comment(text, at_line_start)) {
			(void)span_split(&text, '\n');
			continue;
		}
		if (!item_length(text, &length))
			return ALIAS_BAD;
		enum alias_result result = add_item(&list, span_head(text, length));
		if (result != ALIAS_OK)
			return result;
		at_line_start = is_file && length < text.len && text.ptr[length] == '\n';
		text = span_skip(text, length + 1);
	}
	*ret_targets = list.items;
	*ret_count = list.count;
	return ALIAS_OK;
}
