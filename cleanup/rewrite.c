/* See rewrite.h.
 * SPDX-License-Identifier: ISC */
#include "cleanup/rewrite.h"

#include "cleanup/settings.h"
#include "mail/address.h"
#include "mail/address_list.h"

#define LIST_MAX 10240 /* header_address_token_limit */
#define LIST_ARENA (4u * 1024 * 1024)
#define FOLD_AT 72

/* The domain that stands for this one: what is missing is added. */
static void complete_domain(struct span domain, struct buf *out)
{
	buf_append(out, domain);
	bool literal = domain.len > 0 && domain.ptr[0] == '[';
	if (process.settings.append_dot_mydomain && !literal && domain.len > 0 &&
		span_find_char(domain, '.') == SIZE_MAX && process.settings.mydomain[0] != '\0') {
		buf_append_char(out, '.');
		buf_append_cstr(out, process.settings.mydomain);
	}
}

static bool is_incomplete(struct span domain)
{
	if (domain.len == 0)
		return process.settings.append_at_myorigin;
	return process.settings.append_dot_mydomain && domain.ptr[0] != '[' &&
	       span_find_char(domain, '.') == SIZE_MAX;
}

void rewrite_address(struct span address, struct buf *out)
{
	if (address.len == 0)
		return;
	struct mail_address parts = mail_address_split(address);
	bool has_domain = span_find_last_char(address, '@') != SIZE_MAX && parts.domain.len > 0;
	buf_append(out, has_domain ? parts.local
			: parts.domain.len == 0 && span_ends_with(address, SPAN("@"))
				? span_head(address, address.len - 1)
				: address);
	if (!has_domain && !process.settings.append_at_myorigin)
		return;
	buf_append_char(out, '@');
	complete_domain(has_domain ? parts.domain : route_origin(process.route), out);
}

static void append_item(const struct address_item *item, struct arena *arena, struct buf *out)
{
	struct address_item whole = *item;
	struct buf domain = BUF_INIT(MAIL_PATH_MAX);
	if (item->kind == ADDRESS_MAILBOX && is_incomplete(item->host)) {
		complete_domain(
			item->host.len > 0 ? item->host : route_origin(process.route), &domain);
		whole.host = arena_dup(arena, buf_span(&domain));
	}
	address_item_format(&whole, out);
	buf_done(&domain);
}

bool rewrite_header_field(struct span name, struct span value, struct buf *out)
{
	struct arena arena;
	struct address_list list;
	bool incomplete = false;
	arena_init(&arena, LIST_ARENA);
	address_list_parse(value, LIST_MAX, &arena, &list);
	for (size_t i = 0; i < list.count; i++)
		incomplete |= list.items[i].kind == ADDRESS_MAILBOX &&
			      list.items[i].mailbox.len > 0 && is_incomplete(list.items[i].host);
	if (!incomplete || list.truncated) {
		arena_done(&arena);
		return false;
	}
	buf_append(out, name);
	buf_append_char(out, ':');
	size_t column = name.len + 1;
	bool first = true; /* no comma before this one */
	for (size_t i = 0; i < list.count; i++) {
		const struct address_item *item = &list.items[i];
		struct buf text = BUF_INIT(MAIL_PATH_MAX * 4);
		if (item->kind == ADDRESS_GROUP_START) {
			mail_phrase_quote(item->name.len > 0 ? item->name : item->mailbox, &text);
			buf_append_char(&text, ':');
		} else if (item->kind == ADDRESS_GROUP_END) {
			buf_append_char(&text, ';');
		} else {
			append_item(item, &arena, &text);
		}
		if (!first && item->kind != ADDRESS_GROUP_END)
			buf_append_char(out, ',');
		if (item->kind != ADDRESS_GROUP_END) {
			bool fold = column + text.len > FOLD_AT && i > 0;
			buf_append_cstr(out, fold ? "\n\t" : " ");
			column = fold ? 8 : column + 2;
		}
		buf_append(out, buf_span(&text));
		column += text.len;
		first = item->kind == ADDRESS_GROUP_START;
		buf_done(&text);
	}
	buf_append_char(out, '\n');
	arena_done(&arena);
	return !out->overflow;
}
