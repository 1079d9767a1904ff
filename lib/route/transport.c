/* transport_maps: the key order and the result forms of transport(5).
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "mail/address.h"
#include "route/route_private.h"

static enum map_result ask(struct route *route, struct span key, bool whole, struct buf *value)
{
	if (span_is_empty(key))
		return MAP_NOT_FOUND;
	for (size_t i = 0; i < map_list_count(route->transports); i++) {
		struct map *map = map_list_at(route->transports, i);
		if (!whole && map_is_pattern(map))
			continue;
		enum map_result result = map_lookup(map, key, value);
		if (result != MAP_NOT_FOUND)
			return result;
	}
	return MAP_NOT_FOUND;
}

/* user@domain for user+ext@domain. */
static enum map_result ask_bare(struct route *route, struct span address, struct buf *value)
{
	size_t at = span_find_last_char(address, '@');
	struct span local_part = span_head(address, at);
	size_t start = address_extension_start(local_part, route_delimiters(route));
	if (start == SIZE_MAX)
		return MAP_NOT_FOUND;
	struct buf bare = BUF_INIT(8192);
	buf_append(&bare, span_head(local_part, start));
	if (at != SIZE_MAX)
		buf_append(&bare, span_skip(address, at));
	enum map_result result = ask(route, buf_span(&bare), false, value);
	buf_done(&bare);
	return result;
}

/* domain, then .parent for each parent ("parent" with parent_domain_matches_subdomains). */
static enum map_result ask_domains(struct route *route, struct span domain, struct buf *value)
{
	enum map_result result = ask(route, domain, false, value);
	if (!span_is_empty(domain) && domain.ptr[0] == '[')
		return result;
	while (result == MAP_NOT_FOUND) {
		size_t dot = span_find_char(span_skip(domain, 1), '.');
		if (dot == SIZE_MAX || domain.len < 2)
			break;
		domain = span_skip(domain, dot + 1);
		result = ask(route, route->transport_parents_bare ? span_skip(domain, 1) : domain,
			false, value);
	}
	return result;
}

static enum map_result ask_keys(struct route *route, struct span address, struct buf *value)
{
	enum map_result result = ask(route, address, true, value);
	if (result == MAP_NOT_FOUND)
		result = ask_bare(route, address, value);
	if (result == MAP_NOT_FOUND)
		result = ask_domains(route, route_address_domain(address), value);
	return result;
}

/* The table may name an international domain in the other form. */
static enum map_result ask_other_form(struct route *route, struct span address, struct buf *value)
{
	struct buf other = BUF_INIT(8192);
	struct span domain = route_address_domain(address);
	enum map_result result = MAP_NOT_FOUND;
	buf_append(&other, span_head(address, address.len - domain.len));
	if (domain.len > 0 && mail_domain_other_form(domain, &other))
		result = other.overflow ? MAP_ERROR : ask_keys(route, buf_span(&other), value);
	buf_done(&other);
	return result;
}

enum map_result route_transport_lookup(struct route *route, struct span address,
	struct route_target *ret_target)
{
	if (map_list_is_empty(route->transports))
		return MAP_NOT_FOUND;
	struct buf value = BUF_INIT(65536);
	enum map_result result = ask_keys(route, address, &value);
	if (result == MAP_NOT_FOUND)
		result = ask_other_form(route, address, &value);
	if (result == MAP_NOT_FOUND)
		result = ask(route, SPAN("*"), false, &value);
	if (result == MAP_FOUND && value.overflow)
		result = MAP_ERROR;
	if (result == MAP_FOUND)
		route_target_parse(buf_span(&value), ret_target);
	buf_done(&value);
	return result;
}
