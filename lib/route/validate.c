/* Does a recipient exist? Postfix: reject_unlisted_recipient, LOCAL_RECIPIENT_README.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "base/check.h"
#include "route/route_private.h"

static void set_text(struct route_verdict *verdict, struct span text)
{
	snprintf(verdict->text, sizeof verdict->text, "%.*s", SPAN_ARGS(text));
}

static enum map_result ask(struct route *route, struct map_list *maps, struct span address)
{
	struct buf value = BUF_INIT(65536);
	enum map_result result = route_lookup(route, maps, address, &value, NULL);
	buf_done(&value);
	return result;
}

static const char *table_name(enum route_class class)
{
	switch (class) {
	case ROUTE_LOCAL: return "local recipient";
	case ROUTE_VIRTUAL_ALIAS: return "virtual alias";
	case ROUTE_VIRTUAL_MAILBOX: return "virtual mailbox";
	case ROUTE_RELAY: return "relay recipient";
	case ROUTE_DEFAULT: break;
	}
	return "recipient";
}

/* The account that local would deliver to, when only another process can tell. */
static enum map_result ask_elsewhere(struct route *route, struct span address)
{
	if (!route->accounts_hidden || route->ask_account == NULL)
		return MAP_NOT_FOUND;
	struct span user = span_head(address, span_find_last_char(address, '@'));
	user = span_head(user, address_extension_start(user, route_delimiters(route)));
	return user.len == 0 ? MAP_NOT_FOUND : route->ask_account(route->ask_account_arg, user);
}

static enum map_result ask_class(struct route *route, const struct route_place *place)
{
	struct span address = buf_span(&place->address);
	struct map_list *maps = NULL;
	switch (place->class) {
	case ROUTE_LOCAL:
		maps = route->local_recipients;
		break;
	case ROUTE_VIRTUAL_ALIAS:
		return MAP_NOT_FOUND;
	case ROUTE_VIRTUAL_MAILBOX:
		maps = route->mailboxes;
		break;
	case ROUTE_RELAY:
		maps = route->relay_recipients;
		break;
	case ROUTE_DEFAULT:
		break;
	}
	if (maps == NULL || map_list_is_empty(maps))
		return MAP_FOUND;
	enum map_result result = ask(route, maps, address);
	if (result == MAP_NOT_FOUND && place->class == ROUTE_LOCAL)
		result = ask(route, route->accounts, address);
	if (result == MAP_NOT_FOUND && place->class == ROUTE_LOCAL)
		result = ask_elsewhere(route, address);
	return result;
}

/* MAP_FOUND: the transport table (or the class's transport) declares the address undeliverable. */
static enum map_result ask_error_transport(struct route *route, const struct route_place *place,
	struct route_verdict *verdict)
{
	if (place->class == ROUTE_VIRTUAL_ALIAS)
		return MAP_NOT_FOUND;
	const struct route_target *class_target = place->class == ROUTE_LOCAL ? &route->local
		: place->class == ROUTE_VIRTUAL_MAILBOX ? &route->mailbox
		: place->class == ROUTE_RELAY ? &route->relay : &route->fallback;
	struct route_target said = {NULL, NULL};
	enum map_result result = route_transport_lookup(route, buf_span(&place->address), &said);
	if (result == MAP_ERROR)
		return result;
	bool changed = result == MAP_FOUND && said.transport[0] != '\0';
	const char *transport = changed ? said.transport : class_target->transport;
	const char *nexthop = result == MAP_FOUND && said.nexthop[0] != '\0' ? said.nexthop
		: changed ? "" : class_target->nexthop;
	result = MAP_NOT_FOUND;
	if (strcmp(transport, "error") == 0) {
		struct span text = nexthop[0] == '\0' ? SPAN("Address is undeliverable")
			: span_from_cstr(nexthop);
		set_text(verdict, route_cut_dsn(text, "5.1.1", verdict->dsn));
		result = MAP_FOUND;
	}
	route_target_done(&said);
	return result;
}

static void validate(struct route *route, const struct route_place *place,
	struct route_verdict *verdict)
{
	verdict->class = place->class;
	verdict->result = ask(route, route->aliases, buf_span(&place->address));
	if (verdict->result != MAP_NOT_FOUND)
		return;
	enum map_result undeliverable = ask_error_transport(route, place, verdict);
	if (undeliverable != MAP_NOT_FOUND) {
		verdict->result = undeliverable == MAP_FOUND ? MAP_NOT_FOUND : MAP_ERROR;
		return;
	}
	verdict->result = ask_class(route, place);
	if (verdict->result != MAP_NOT_FOUND)
		return;
	if (route->show_table_name)
		snprintf(verdict->text, sizeof verdict->text, "User unknown in %s table",
			table_name(place->class));
	else
		set_text(verdict, SPAN("User unknown"));
}

void route_validate_recipient(struct route *route, struct span address,
	struct route_verdict *ret_verdict)
{
	*ret_verdict = (struct route_verdict){.result = MAP_ERROR, .class = ROUTE_DEFAULT,
		.dsn = "5.1.1"};
	struct route_place place;
	if (route_follow(route, address, &place))
		validate(route, &place, ret_verdict);
	buf_done(&place.address);
	if (ret_verdict->result == MAP_ERROR) {
		memcpy(ret_verdict->dsn, "4.3.0", 6);
		set_text(ret_verdict, SPAN("Temporary lookup failure"));
	}
}
