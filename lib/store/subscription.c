/* Subscriptions; see subscription_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/subscription_private.h"

#include <errno.h>

#include "base/table.h"
#include "store/file_private.h"
#include "store/name_private.h"

#define FILE_NAME "subscriptions"
#define HEADER2 "V\t2\n\n"

static bool subscriptions_has(const struct subscriptions *s, struct span name)
{
	for (size_t i = 0; i < s->count; i++)
		if (span_equal(s->names[i], name))
			return true;
	return false;
}

static int append_name(struct subscriptions *s, struct arena *arena, struct span name)
{
	if (s->count == s->room) {
		size_t room = s->room == 0 ? 64 : s->room * 2;
		s->names = arena_grow(arena, s->names, s->count, room, sizeof(*s->names));
		s->room = room;
	}
	if (s->names != NULL)
		s->names[s->count++] = arena_dup(arena, name);
	return arena->overflow ? -ENOMEM : 0;
}

/* A file that is being read; a name may stand in it twice. */
struct reading {
	struct subscriptions *s;
	struct arena *arena;
	struct table seen;
};

static int add(struct reading *reading, struct span name)
{
	struct buf canonical = BUF_INIT(STORE_NAME_MAX);
	int error = 0;
	if (reading->s->count < SUBSCRIPTIONS_MAX && store_name_check(name, &canonical)
		&& table_put(&reading->seen, buf_span(&canonical), reading) == NULL)
		error = append_name(reading->s, reading->arena, buf_span(&canonical));
	buf_done(&canonical);
	return error;
}

/* from becomes '/' in a copy of line. */
static int add_translated(struct reading *reading, struct span line, char from)
{
	struct buf name = BUF_INIT(1024);
	for (size_t i = 0; i < line.len; i++)
		buf_append_char(&name, line.ptr[i] == from ? STORE_SEPARATOR : line.ptr[i]);
	int error = name.overflow ? 0 : add(reading, buf_span(&name));
	buf_done(&name);
	return error;
}

int subscriptions_parse(struct span text, struct arena *arena, struct subscriptions *ret)
{
	struct span rest = text;
	struct reading reading = {.s = ret, .arena = arena};
	int error = 0;
	table_init(&reading.seen);
	*ret = (struct subscriptions){.is_version2 = span_starts_with(text, SPAN("V\t2\n"))};
	if (ret->is_version2)
		(void)span_split(&rest, '\n');
	while (error == 0 && rest.len > 0) {
		struct span line = span_split(&rest, '\n');
		if (line.len == 0)
			continue;
		/* Version 1 names have the server's separator: '.' of Maildir++ unless '/' is used. */
		bool dots = !ret->is_version2 && span_find_char(line, '/') == SIZE_MAX;
		error = add_translated(&reading, line, ret->is_version2 ? '\t' : dots ? '.' : '/');
	}
	table_done(&reading.seen, NULL);
	return error;
}

int subscriptions_parse_courier(struct span text, struct arena *arena, struct subscriptions *ret)
{
	struct span rest = text;
	struct reading reading = {.s = ret, .arena = arena};
	int error = 0;
	table_init(&reading.seen);
	*ret = (struct subscriptions){.is_version2 = true};
	while (error == 0 && rest.len > 0) {
		struct span line = span_split(&rest, '\n');
		if (span_starts_with_nocase(line, SPAN("INBOX.")))
			line = span_skip(line, 6);
		if (line.len > 0)
			error = add_translated(&reading, line, '.');
	}
	table_done(&reading.seen, NULL);
	return error;
}

void subscriptions_format(const struct subscriptions *s, struct buf *out)
{
	if (s->is_version2)
		buf_append_cstr(out, HEADER2);
	for (size_t i = 0; i < s->count; i++) {
		for (size_t k = 0; k < s->names[i].len; k++) {
			char c = s->names[i].ptr[k];
			buf_append_char(out, c != STORE_SEPARATOR ? c : s->is_version2 ? '\t' : '.');
		}
		buf_append_char(out, '\n');
	}
}

int subscriptions_load(struct store *store, struct arena *arena, struct subscriptions *ret)
{
	struct buf text = BUF_INIT(SUBSCRIPTIONS_SIZE_MAX);
	*ret = (struct subscriptions){.is_version2 = true};
	int error = file_read_at(store->root_fd, FILE_NAME, &text);
	if (error == 0) {
		error = subscriptions_parse(buf_span(&text), arena, ret);
	} else if (error == -ENOENT) {
		buf_reset(&text);
		error = file_read_at(store->root_fd, "courierimapsubscribed", &text);
		if (error == 0)
			error = subscriptions_parse_courier(buf_span(&text), arena, ret);
		else if (error == -ENOENT)
			error = 0;
	}
	buf_done(&text);
	return error;
}

static int change(struct store *store, struct span name, bool on)
{
	struct arena arena;
	struct subscriptions s;
	arena_init(&arena, 16UL << 20);
	int error = subscriptions_load(store, &arena, &s);
	if (error == 0 && subscriptions_has(&s, name) != on) {
		if (on && s.count >= SUBSCRIPTIONS_MAX)
			error = -E2BIG;
		else if (on)
			error = append_name(&s, &arena, name);
		for (size_t i = 0; !on && i < s.count; i++)
			if (span_equal(s.names[i], name))
				s.names[i--] = s.names[--s.count];
		/* A name with a dot of its own needs the version that can say so. */
		for (size_t i = 0; i < s.count; i++)
			s.is_version2 = s.is_version2 || span_find_char(s.names[i], '.') != SIZE_MAX;
		struct buf text = BUF_INIT(SUBSCRIPTIONS_SIZE_MAX);
		subscriptions_format(&s, &text);
		if (error == 0)
			error = text.overflow ? -E2BIG
				: file_replace_at(store->root_fd, FILE_NAME, buf_span(&text));
		buf_done(&text);
	}
	arena_done(&arena);
	return error;
}

int store_subscribe(struct store *store, struct span name, bool on)
{
	struct buf canonical = BUF_INIT(STORE_NAME_MAX);
	int error = store_name_check(name, &canonical) ? 0 : -EINVAL;
	if (error == 0)
		error = tree_lock(store);
	if (error == 0) {
		error = change(store, buf_span(&canonical), on);
		tree_unlock(store);
	}
	buf_done(&canonical);
	return error;
}
