/* Address classes, and the routes that an address may carry in its local part.
 * Postfix: ADDRESS_CLASS_README, allow_percent_hack, swap_bangpath, allow_untrusted_routing=no.
 * SPDX-License-Identifier: ISC */
#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "mail/address.h"
#include "route/route_private.h"

#define ROUTE_HOPS_MAX 50
#define WARNED_MAX 4096

struct span route_address_domain(struct span address)
{
	size_t at = span_find_last_char(address, '@');
	return at == SIZE_MAX ? SPAN_EMPTY : span_skip(address, at + 1);
}

/* mydestination and its like may name an international domain in either form. */
/* "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static bool is_own_literal(const struct route *route, struct span domain)
{
	struct address address;
	return domain.len > 2 && domain.ptr[0] == '[' && domain.ptr[domain.len - 1] == ']' &&
		address_parse_ip(span_part(domain, 1, domain.len - 2), 0, &address) &&
		own_addresses_have(&route->own, &address);
}

static enum map_result list_has(struct match_list *list, struct span domain)
{
	enum map_result result = match_list_check(list, domain);
	struct buf other = BUF_INIT(1024);
	if (result == MAP_NOT_FOUND && mail_domain_other_form(domain, &other) && !other.overflow)
		result = match_list_check(list, buf_span(&other));
	buf_done(&other);
	return result;
}

enum map_result route_domain_is_local(struct route *route, struct span domain)
{
	enum map_result result = list_has(route->mydestination, domain);
	if (result == MAP_NOT_FOUND && is_own_literal(route, domain))
		return MAP_FOUND;
	return result;
}

/* One warning for each domain and process; a library speaks here because only it
 * sees both lists. */
static void warn_both(struct route *route, struct span domain, const char *first,
	const char *second)
{
	struct buf needle = BUF_INIT(2048);
	buf_append_format(&needle, "\n%.*s\n", SPAN_ARGS(domain));
	if (span_find(buf_span(&route->warned), buf_span(&needle)) == SIZE_MAX) {
		log_warning(NULL, "do not list domain %.*s in BOTH %s and %s", SPAN_ARGS(domain),
			first, second);
		if (route->warned.len > WARNED_MAX)
			buf_reset(&route->warned);
		buf_append(&route->warned, buf_span(&needle));
	}
	buf_done(&needle);
}

/* The class of a domain (not empty, lower case). */
static bool classify(struct route *route, struct span domain, enum route_class *ret_class)
{
	const struct {
		enum route_class class;
		const char *name;
		struct match_list *list;
	} order[] = {
		{ROUTE_LOCAL, "mydestination", NULL},
		{ROUTE_VIRTUAL_ALIAS, "virtual_alias_domains", route->alias_domains},
		{ROUTE_VIRTUAL_MAILBOX, "virtual_mailbox_domains", route->mailbox_domains},
		{ROUTE_RELAY, "relay_domains", route->relay_domains},
	};
	size_t found = ARRAY_LEN(order);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		enum map_result result = i == 0 ? route_domain_is_local(route, domain)
			: list_has(order[i].list, domain);
		if (result == MAP_NOT_FOUND)
			continue;
		if (found < ARRAY_LEN(order)) {
			/* mydestination may be in relay_domains: its old default. */
			if (result == MAP_FOUND && !(found == 0 && order[i].class == ROUTE_RELAY))
				warn_both(route, domain, order[found].name, order[i].name);
			continue;
		}
		if (result == MAP_ERROR)
			return false;
		found = i;
	}
	*ret_class = found < ARRAY_LEN(order) ? order[found].class : ROUTE_DEFAULT;
	return true;
}

static bool has_route(const struct route *route, struct span local_part)
{
	return span_find_char(local_part, '@') != SIZE_MAX ||
		(route->percent_hack && span_find_char(local_part, '%') != SIZE_MAX) ||
		(route->bang_path && span_find_char(local_part, '!') != SIZE_MAX);
}

/* Rewrites a local part that holds a route into the address it stands for. */
static void step(const struct route *route, struct span local_part, struct buf *out)
{
	size_t bang = span_find_char(local_part, '!');
	size_t percent = span_find_last_char(local_part, '%');
	if (span_find_char(local_part, '@') != SIZE_MAX) {
		buf_append(out, local_part);
	} else if (route->bang_path && bang != SIZE_MAX) {
		buf_append(out, span_skip(local_part, bang + 1));
		buf_append_char(out, '@');
		buf_append(out, span_head(local_part, bang));
	} else {
		buf_append(out, span_head(local_part, percent));
		buf_append_char(out, '@');
		buf_append(out, span_skip(local_part, percent + 1));
	}
}

static void fold_domain(struct buf *address, size_t start)
{
	for (size_t i = start; i < address->len; i++)
		address->ptr[i] = ascii_lower(address->ptr[i]);
	/* "example.com." is example.com, but ".." is nobody's. */
	if (address->len > start + 1 && address->ptr[address->len - 1] == '.' &&
		address->ptr[address->len - 2] != '.')
		buf_truncate(address, address->len - 1);
}

/* One turn: 1 done, 0 again with a shorter address, -1 a table failed. */
static int follow_once(struct route *route, struct route_place *place)
{
	struct buf *address = &place->address;
	size_t at = span_find_last_char(buf_span(address), '@');
	size_t local_len = at == SIZE_MAX ? address->len : at;
	enum route_class class = ROUTE_LOCAL;
	if (at != SIZE_MAX) {
		fold_domain(address, at + 1);
		struct span domain = span_skip(buf_span(address), at + 1);
		if (domain.len > 0 && !classify(route, domain, &class))
			return -1;
	}
	struct span local_part = span_head(buf_span(address), local_len);
	place->class = class;
	place->routed = has_route(route, local_part);
	if (class != ROUTE_LOCAL || !place->routed)
		return 1;
	struct buf next = BUF_INIT(8192);
	step(route, local_part, &next);
	buf_done(address);
	*address = next;
	return 0;
}

bool route_follow(struct route *route, struct span address, struct route_place *ret_place)
{
	buf_init(&ret_place->address, 8192);
	buf_append(&ret_place->address, address);
	for (int hops = 0; hops < ROUTE_HOPS_MAX; hops++) {
		int done = follow_once(route, ret_place);
		if (done != 0)
			return done > 0 && !ret_place->address.overflow;
	}
	/* A longer chain is nobody's honest address: it stays with the local domain's unknown users. */
	ret_place->class = ROUTE_DEFAULT;
	ret_place->routed = true;
	return true;
}

bool route_class(struct route *route, struct span address, enum route_class *ret_class)
{
	struct route_place place;
	bool ok = route_follow(route, address, &place);
	if (ok)
		*ret_class = place.class;
	buf_done(&place.address);
	return ok;
}

const char *route_class_name(enum route_class class)
{
	switch (class) {
	case ROUTE_LOCAL: return "local";
	case ROUTE_VIRTUAL_ALIAS: return "virtual alias";
	case ROUTE_VIRTUAL_MAILBOX: return "virtual mailbox";
	case ROUTE_RELAY: return "relay";
	case ROUTE_DEFAULT: return "default";
	}
	return "default";
}

enum map_result route_is_ours(struct route *route, struct span address)
{
	struct route_place place;
	enum map_result result = MAP_ERROR;
	if (route_follow(route, address, &place))
		result = place.class == ROUTE_DEFAULT || place.routed ? MAP_NOT_FOUND : MAP_FOUND;
	buf_done(&place.address);
	return result;
}
