/* Address-keyed table lookups in Postfix's key order.
 * SPDX-License-Identifier: ISC */
#include "route/address_lookup.h"

#include "base/ascii.h"
#include "base/check.h"
#include "mail/address.h"

static bool is_special_name(struct span name)
{
	return span_equal_nocase(name, SPAN("mailer-daemon")) ||
		span_equal_nocase(name, SPAN("double-bounce")) ||
		span_equal_nocase(name, SPAN("postmaster"));
}

size_t address_extension_start(struct span local_part, struct span delimiters)
{
	if (is_special_name(local_part))
		return SIZE_MAX;
	for (size_t i = 1; i < local_part.len; i++) {
		if (memchr(delimiters.ptr, local_part.ptr[i], delimiters.len) == NULL)
			continue;
		if (local_part.ptr[i] == '-' && (span_starts_with_nocase(local_part, SPAN("owner-")) ||
				span_ends_with_nocase(local_part, SPAN("-request"))))
			return SIZE_MAX;
		return i;
	}
	return SIZE_MAX;
}

/* whole: the key is the whole address, so that pattern tables are asked too. */
static enum map_result ask_all(struct map_list *maps, struct span key, bool whole,
	struct buf *ret_value)
{
	for (size_t i = 0; i < map_list_count(maps); i++) {
		struct map *map = map_list_at(maps, i);
		if (!whole && map_is_pattern(map))
			continue;
		enum map_result result = map_lookup(map, key, ret_value);
		if (result != MAP_NOT_FOUND)
			return result;
	}
	return MAP_NOT_FOUND;
}

struct key_parts {
	struct span local_part, user, extension, at_domain;
};

static struct key_parts split(struct span address, struct span delimiters)
{
	struct key_parts parts = {address, address, SPAN_EMPTY, SPAN_EMPTY};
	size_t at = span_find_last_char(address, '@');
	if (at != SIZE_MAX) {
		parts.local_part = span_head(address, at);
		parts.at_domain = span_skip(address, at);
	}
	size_t start = address_extension_start(parts.local_part, delimiters);
	parts.user = span_head(parts.local_part, start);
	if (start != SIZE_MAX)
		parts.extension = span_skip(parts.local_part, start);
	return parts;
}

static enum map_result look_up(const struct address_lookup *lookup, struct span address,
	struct buf *ret_value, struct span *ret_extension)
{
	struct key_parts parts = split(address, lookup->delimiters);
	struct buf bare = BUF_INIT(8192);
	buf_append(&bare, parts.user);
	buf_append(&bare, parts.at_domain);
	bool has_extension = !span_is_empty(parts.extension);
	bool local = lookup->domain_is_local && !span_is_empty(parts.at_domain);
	const struct {
		unsigned key;
		bool apply;
		struct span text;
		bool drops_extension;
	} order[] = {
		{ADDRESS_KEY_FULL, true, address, false},
		{ADDRESS_KEY_BARE, has_extension, buf_span(&bare), true},
		{ADDRESS_KEY_LOCAL, local, parts.local_part, false},
		{ADDRESS_KEY_LOCAL, local && has_extension, parts.user, true},
		{ADDRESS_KEY_AT_DOMAIN, parts.at_domain.len > 1, parts.at_domain, false},
		{ADDRESS_KEY_DOMAIN, parts.at_domain.len > 1, span_skip(parts.at_domain, 1), false},
	};
	enum map_result result = bare.overflow ? MAP_ERROR : MAP_NOT_FOUND;
	for (size_t i = 0; i < ARRAY_LEN(order) && result == MAP_NOT_FOUND; i++) {
		if (!order[i].apply || !(lookup->keys & order[i].key))
			continue;
		result = ask_all(lookup->maps, order[i].text, order[i].key == ADDRESS_KEY_FULL,
			ret_value);
		if (result == MAP_FOUND && ret_extension != NULL)
			*ret_extension = order[i].drops_extension ? parts.extension : SPAN_EMPTY;
	}
	buf_done(&bare);
	return result;
}

/* The table may name an international domain in the other form. */
enum map_result address_lookup(const struct address_lookup *lookup, struct span address,
	struct buf *ret_value, struct span *ret_extension)
{
	enum map_result result = look_up(lookup, address, ret_value, ret_extension);
	size_t at = span_find_last_char(address, '@');
	if (result != MAP_NOT_FOUND || at == SIZE_MAX)
		return result;
	struct buf other = BUF_INIT(8192);
	struct span extension = SPAN_EMPTY;
	buf_append(&other, span_head(address, at + 1));
	if (mail_domain_other_form(span_skip(address, at + 1), &other)) {
		result = other.overflow ? MAP_ERROR
			: look_up(lookup, buf_span(&other), ret_value, &extension);
		/* The local part is the same, and so is the place of the extension in it. */
		if (result == MAP_FOUND && ret_extension != NULL)
			*ret_extension = span_part(address, at - extension.len, extension.len);
	}
	buf_done(&other);
	return result;
}

void address_lookup_result(struct span result, struct span address, struct span extension,
	struct span origin, struct buf *out)
{
	size_t at = span_find_last_char(result, '@');
	if (at == 0) {
		size_t end = span_find_last_char(address, '@');
		buf_append(out, span_head(address, end));
		buf_append(out, result);
		return;
	}
	buf_append(out, span_head(result, at));
	buf_append(out, extension);
	if (at == SIZE_MAX) {
		buf_append_char(out, '@');
		buf_append(out, origin);
	} else {
		buf_append(out, span_skip(result, at));
	}
}
