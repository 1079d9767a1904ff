/* From recipient and sender to transport and nexthop, by Postfix's precedence.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/ascii.h"
#include "base/check.h"
#include "route/route_private.h"

void route_result_init(struct route_result *result)
{
	result->class = ROUTE_DEFAULT;
	buf_init(&result->transport, 1024);
	buf_init(&result->nexthop, 4096);
	buf_init(&result->recipient, 8192);
}

void route_result_done(struct route_result *result)
{
	buf_done(&result->transport);
	buf_done(&result->nexthop);
	buf_done(&result->recipient);
}

struct span route_cut_dsn(struct span text, const char *default_dsn, char dsn[12])
{
	size_t len = 0, dots = 0;
	while (len < text.len && (ascii_is_digit(text.ptr[len]) || text.ptr[len] == '.'))
		dots += text.ptr[len++] == '.';
	bool is_dsn = dots == 2 && len >= 5 && len < 11 && text.ptr[1] == '.' &&
		(text.ptr[0] == '2' || text.ptr[0] == '4' || text.ptr[0] == '5') &&
		text.ptr[len - 1] != '.' && text.ptr[2] != '.' &&
		(len == text.len || ascii_is_space(text.ptr[len]));
	struct span code = is_dsn ? span_head(text, len) : span_from_cstr(default_dsn);
	memcpy(dsn, code.ptr, code.len);
	dsn[code.len] = '\0';
	return is_dsn ? span_trim(span_skip(text, len)) : text;
}

static bool says_text(const struct buf *transport)
{
	struct span name = buf_span(transport);
	return span_equal(name, SPAN("error")) || span_equal(name, SPAN("retry")) ||
		span_equal(name, SPAN("discard"));
}

static void set(struct buf *buf, struct span value)
{
	buf_reset(buf);
	buf_append(buf, value);
}

static void set_target(struct route_result *result, const struct route_target *target)
{
	set(&result->transport, span_from_cstr(target->transport));
	set(&result->nexthop, span_from_cstr(target->nexthop));
}

/* A table asked by sender. MAP_FOUND with an empty value (DUNNO) counts as not found. */
static enum map_result ask_sender(struct route *route, struct map_list *maps, struct span sender,
	const char *empty_key, struct buf *value)
{
	if (map_list_is_empty(maps))
		return MAP_NOT_FOUND;
	struct span key = span_is_empty(sender) ? span_from_cstr(empty_key) : sender;
	enum map_result result = route_lookup(route, maps, key, value, NULL);
	if (result == MAP_FOUND && (value->len == 0 ||
			span_equal_nocase(buf_span(value), SPAN("DUNNO"))))
		return MAP_NOT_FOUND;
	return result;
}

static bool choose_default(struct route *route, struct span sender, struct route_result *result)
{
	struct buf value = BUF_INIT(4096);
	enum map_result found = ask_sender(route, route->sender_transports, sender,
		route->empty_sender_transport, &value);
	if (found == MAP_FOUND) {
		struct route_target target;
		route_target_parse(buf_span(&value), &target);
		set_target(result, &target);
		route_target_done(&target);
	} else {
		set_target(result, &route->fallback);
	}
	buf_done(&value);
	return found != MAP_ERROR;
}

/* Relay and default class without a nexthop of their own. */
static bool choose_relayhost(struct route *route, struct span sender, struct route_result *result)
{
	if (result->nexthop.len > 0 || says_text(&result->transport))
		return true;
	struct buf value = BUF_INIT(4096);
	enum map_result found = ask_sender(route, route->sender_relayhosts, sender,
		route->empty_sender_relayhost, &value);
	set(&result->nexthop, found == MAP_FOUND ? buf_span(&value)
		: span_from_cstr(route->relayhost));
	buf_done(&value);
	return found != MAP_ERROR;
}

static bool choose_by_class(struct route *route, struct span sender, struct route_result *result)
{
	static char error[] = "error", unknown[] = "5.1.1 User unknown in virtual alias table",
		unknown_plain[] = "5.1.1 User unknown";
	struct route_target alias = {error, route->show_table_name ? unknown : unknown_plain};
	switch (result->class) {
	case ROUTE_LOCAL:
		set_target(result, &route->local);
		return true;
	case ROUTE_VIRTUAL_ALIAS:
		set_target(result, &alias);
		return true;
	case ROUTE_VIRTUAL_MAILBOX:
		set_target(result, &route->mailbox);
		return true;
	case ROUTE_RELAY:
		set_target(result, &route->relay);
		return choose_relayhost(route, sender, result);
	case ROUTE_DEFAULT:
		return choose_default(route, sender, result) &&
			choose_relayhost(route, sender, result);
	}
	return false;
}

static bool apply_transport_maps(struct route *route, struct span address, struct span domain,
	struct route_result *result)
{
	struct route_target target;
	enum map_result found = route_transport_lookup(route, address, &target);
	if (found != MAP_FOUND)
		return found == MAP_NOT_FOUND;
	if (target.transport[0] != '\0') {
		set(&result->transport, span_from_cstr(target.transport));
		set(&result->nexthop, says_text(&result->transport) ? SPAN_EMPTY : domain);
	}
	if (target.nexthop[0] != '\0')
		set(&result->nexthop, span_from_cstr(target.nexthop));
	route_target_done(&target);
	return true;
}

static void finish(struct route_result *result, struct span domain)
{
	if (says_text(&result->transport)) {
		if (result->nexthop.len == 0)
			set(&result->nexthop, SPAN("Address is undeliverable"));
		return;
	}
	if (result->nexthop.len == 0)
		set(&result->nexthop, domain);
	/* A nexthop is a host: case does not matter, but unix: paths keep theirs. */
	if (span_find_char(buf_span(&result->nexthop), '/') != SIZE_MAX)
		return;
	for (size_t i = 0; i < result->nexthop.len; i++)
		result->nexthop.ptr[i] = ascii_lower(result->nexthop.ptr[i]);
}

bool route_resolve(struct route *route, struct span recipient, struct span sender,
	struct route_result *ret_result)
{
	struct buf null_recipient = BUF_INIT(4096);
	if (span_is_empty(recipient)) {
		buf_append_format(&null_recipient, "%s@%s", route->empty_recipient, route->hostname);
		recipient = buf_span(&null_recipient);
	}
	struct route_place place;
	bool ok = route_follow(route, recipient, &place);
	struct span address = buf_span(&place.address);
	struct span domain = route_address_domain(address);
	if (span_is_empty(domain))
		domain = span_from_cstr(route->hostname);
	if (ok) {
		ret_result->class = place.class;
		/* The administrator's spelling of the domain is kept for the log. */
		set(&ret_result->recipient, span_equal_nocase(address, recipient) ? recipient
			: address);
		ok = choose_by_class(route, sender, ret_result);
		if (ok && place.class != ROUTE_VIRTUAL_ALIAS)
			ok = apply_transport_maps(route, address, domain, ret_result);
		finish(ret_result, domain);
	}
	ok = ok && !ret_result->transport.overflow && !ret_result->nexthop.overflow &&
		!ret_result->recipient.overflow;
	buf_done(&place.address);
	buf_done(&null_recipient);
	return ok;
}
