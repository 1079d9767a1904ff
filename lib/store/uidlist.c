/* Dovecot's and Courier's small files; see uidlist_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/uidlist_private.h"

#include "base/ascii.h"

static struct span next_line(struct span *rest)
{
	struct span line = span_split(rest, '\n');
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool parse_u32(struct span text, uint32_t *ret_value)
{
	uint64_t value;
	if (!span_to_u64(text, UINT32_MAX, &value))
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

/* "3 V<uidvalidity> N<uidnext> G<guid> ..." */
static bool parse_head3(struct span rest, struct uidlist_head *head)
{
	struct span token;
	while (span_token(&rest, " ", &token)) {
		if (token.ptr[0] == 'V' && !parse_u32(span_skip(token, 1), &head->uidvalidity))
			return false;
		if (token.ptr[0] == 'N' && !parse_u32(span_skip(token, 1), &head->uidnext))
			return false;
	}
	return head->uidvalidity != 0 && head->uidnext != 0;
}

static bool parse_head(struct span line, int *ret_version, struct uidlist_head *head)
{
	struct span rest = line;
	struct span version = span_split(&rest, ' ');
	if (rest.ptr == NULL)
		return false;
	if (span_equal(version, SPAN("3"))) {
		*ret_version = 3;
		return parse_head3(rest, head);
	}
	*ret_version = 1;
	struct span validity = span_split(&rest, ' ');
	return span_equal(version, SPAN("1")) && rest.ptr != NULL
		&& parse_u32(validity, &head->uidvalidity)
		&& parse_u32(span_trim(rest), &head->uidnext) && head->uidvalidity != 0
		&& head->uidnext != 0;
}

static bool parse_entry3(struct span rest, struct uidlist_entry *entry)
{
	while (rest.ptr != NULL) {
		if (rest.len > 0 && rest.ptr[0] == ':') {
			entry->name = span_skip(rest, 1);
			return entry->name.len > 0;
		}
		struct span field = span_split(&rest, ' ');
		if (field.len > 1 && field.ptr[0] == 'P')
			entry->uidl = span_skip(field, 1);
	}
	return false;
}

static bool parse_entry(struct span line, int version, struct uidlist_entry *entry)
{
	struct span rest = line;
	*entry = (struct uidlist_entry){.uidl = SPAN_EMPTY};
	if (!parse_u32(span_split(&rest, ' '), &entry->uid) || entry->uid == 0 || rest.ptr == NULL)
		return false;
	if (version == 3)
		return parse_entry3(rest, entry);
	entry->name = rest;
	return rest.len > 0;
}

bool uidlist_parse(struct span text, void (*visit)(const struct uidlist_entry *entry, void *arg),
	void *arg, struct uidlist_head *ret_head)
{
	struct uidlist_head head = {0};
	struct span rest = text;
	int version;
	if (!parse_head(next_line(&rest), &version, &head))
		return false;
	while (rest.len > 0) {
		struct uidlist_entry entry;
		if (!parse_entry(next_line(&rest), version, &entry) || entry.uid == UINT32_MAX)
			continue;
		if (entry.uid >= head.uidnext)
			head.uidnext = entry.uid + 1;
		if (visit != NULL)
			visit(&entry, arg);
	}
	*ret_head = head;
	return true;
}

/* "name size uid:uidvalidity[:utf8]"; the name may hold spaces, so from the right. */
static bool parse_pop3_line(struct span line, struct uidlist_entry *entry, struct buf *uidl)
{
	size_t space = span_find_last_char(line, ' ');
	if (space == SIZE_MAX)
		return false;
	struct span ids = span_skip(line, space + 1);
	struct span left = span_head(line, space);
	space = span_find_last_char(left, ' ');
	if (space == SIZE_MAX || space == 0)
		return false;
	*entry = (struct uidlist_entry){.name = span_head(left, space)};
	uint32_t uid, validity;
	if (!parse_u32(span_split(&ids, ':'), &uid) || ids.ptr == NULL
		|| !parse_u32(span_split(&ids, ':'), &validity))
		return false;
	buf_reset(uidl);
	if (uid != 0) {
		buf_append_format(uidl, "UID%u-%u", uid, validity);
	} else {
		size_t colon = span_find_char(entry->name, ':');
		struct span base = colon == SIZE_MAX ? entry->name : span_head(entry->name, colon);
		for (size_t i = 0; i < base.len; i++) {
			char c = base.ptr[i];
			if (c < 0x21 || c > 0x7e || c == '\'' || c == '"' || c == '+')
				buf_append_format(uidl, "+%02X", (unsigned)(unsigned char)c);
			else
				buf_append_char(uidl, c);
		}
	}
	entry->uidl = buf_span(uidl);
	return !uidl->overflow;
}

bool uidlist_parse_courier_pop3(struct span text,
	void (*visit)(const struct uidlist_entry *entry, void *arg), void *arg)
{
	struct span rest = text;
	struct span head = next_line(&rest);
	if (!span_starts_with(head, SPAN("/2 ")) && !span_starts_with(head, SPAN("/3 ")))
		return false;
	struct buf uidl = BUF_INIT(1024);
	while (rest.len > 0) {
		struct uidlist_entry entry;
		if (parse_pop3_line(next_line(&rest), &entry, &uidl))
			visit(&entry, arg);
	}
	buf_done(&uidl);
	return true;
}

void uidlist_parse_keywords(struct span text,
	void (*visit)(size_t number, struct span name, void *arg), void *arg)
{
	struct span rest = text;
	while (rest.len > 0) {
		struct span name = next_line(&rest);
		uint32_t number;
		if (parse_u32(span_split(&name, ' '), &number) && name.len > 0)
			visit(number, name, arg);
	}
}

void uidlist_parse_courier_keywords(struct span text,
	void (*keyword)(size_t number, struct span name, void *arg),
	void (*message)(struct span name, uint32_t keywords, void *arg), void *arg)
{
	struct span rest = text;
	size_t count = 0;
	while (rest.len > 0) {
		struct span line = next_line(&rest);
		if (line.len == 0)
			break;
		keyword(count++, line, arg);
	}
	while (rest.len > 0) {
		struct span line = next_line(&rest);
		size_t colon = span_find_last_char(line, ':');
		if (colon == SIZE_MAX || colon == 0)
			continue;
		struct span numbers = span_skip(line, colon + 1), token;
		uint32_t bits = 0, number;
		while (span_token(&numbers, " ", &token))
			if (parse_u32(token, &number) && number < 26)
				bits |= 1U << number;
		if (bits != 0)
			message(span_head(line, colon), bits, arg);
	}
}
