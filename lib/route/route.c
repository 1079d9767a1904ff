/* Opening and closing the classifier: lists, tables and the transports of the classes.
 * SPDX-License-Identifier: ISC */
#include "route/route.h"

#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "route/route_private.h"

struct opening {
	struct conf *conf;
	char **ret_error;
	bool failed;
};

static void fail(struct opening *opening, const char *name, char *error_take)
{
	if (!opening->failed) {
		struct buf text = BUF_INIT(4096);
		buf_append_format(&text, "parameter %s: %s", name,
			error_take == NULL ? "cannot be used" : error_take);
		*opening->ret_error = buf_steal(&text);
	}
	free(error_take);
	opening->failed = true;
}

static struct match_list *open_list(struct opening *opening, const char *name,
	enum match_kind kind)
{
	char *error = NULL;
	struct match_list *list = match_list_open(opening->conf, conf_get(opening->conf, name),
		kind, &error);
	if (list == NULL)
		fail(opening, name, error);
	return list;
}

static struct map_list *open_specs(struct opening *opening, const char *name, const char *specs,
	unsigned flags)
{
	char *error = NULL;
	struct map_list *list = map_list_open(opening->conf, specs, MAP_FOLD_FIXED | flags, &error);
	if (list == NULL)
		fail(opening, name, error);
	return list;
}

static struct map_list *open_maps(struct opening *opening, const char *name, unsigned flags)
{
	return open_specs(opening, name, conf_get(opening->conf, name), flags);
}

static bool may_read(struct span spec)
{
	char *path = span_dup_cstr(span_skip(spec, sizeof "passwdfile:" - 1));
	bool readable = access(path, R_OK) == 0;
	free(path);
	return readable;
}

static bool is_system(struct span spec)
{
	return span_equal(spec, SPAN("system")) || span_equal(spec, SPAN("unix:passwd.byname")) ||
		span_equal(spec, SPAN("proxy:unix:passwd.byname"));
}

/* Of auth_user_maps only the tables that list names: the system's accounts are in
 * local_recipient_maps already. A password file that this process may not read (smtpd must not) is
 * left to route_ask_accounts, and so are other tables, which may hold passwords too. */
static struct map_list *open_accounts(struct opening *opening, bool *ret_hidden)
{
	struct buf specs = BUF_INIT(65536);
	struct span rest = span_from_cstr(conf_get(opening->conf, "auth_user_maps")), spec;
	while (span_token(&rest, ", \t\r\n", &spec)) {
		if (is_system(spec))
			continue;
		if (!span_starts_with(spec, SPAN("passwdfile:")) || !may_read(spec)) {
			*ret_hidden = true;
			continue;
		}
		buf_append(&specs, spec);
		buf_append_char(&specs, ' ');
	}
	struct map_list *list = open_specs(opening, "auth_user_maps", buf_cstr(&specs), 0);
	buf_done(&specs);
	return list;
}

static bool list_names(struct conf *conf, const char *parameter, struct span word)
{
	struct span rest = span_from_cstr(conf_get(conf, parameter)), name;
	while (span_token(&rest, ", \t\r\n", &name))
		if (span_equal(name, word))
			return true;
	return false;
}

void route_target_parse(struct span text, struct route_target *ret_target)
{
	text = span_trim(text);
	size_t colon = span_find_char(text, ':');
	ret_target->transport = span_dup_cstr(span_trim(span_head(text, colon)));
	ret_target->nexthop = span_dup_cstr(colon == SIZE_MAX ? SPAN_EMPTY
		: span_trim(span_skip(text, colon + 1)));
}

void route_target_done(struct route_target *target)
{
	free(target->transport);
	free(target->nexthop);
	*target = (struct route_target){NULL, NULL};
}

/* myorigin may name a file whose first line is the name (Debian's /etc/mailname). */
static char *read_origin(const char *value)
{
	if (value[0] != '/')
		return memory_dup_cstr(value);
	char line[1024] = "";
	FILE *file = fopen(value, "re");
	if (file != NULL) {
		if (fgets(line, sizeof line, file) == NULL)
			line[0] = '\0';
		fclose(file);
	}
	return span_dup_cstr(span_trim(span_from_cstr(line)));
}

static void open_lists(struct opening *opening, struct route *route)
{
	struct conf *conf = opening->conf;
	bool tree = list_names(conf, "parent_domain_matches_subdomains", SPAN("relay_domains"));
	route->mydestination = open_list(opening, "mydestination", MATCH_STRING);
	route->alias_domains = open_list(opening, "virtual_alias_domains", MATCH_STRING);
	route->mailbox_domains = open_list(opening, "virtual_mailbox_domains", MATCH_STRING);
	route->relay_domains = open_list(opening, "relay_domains",
		tree ? MATCH_DOMAIN_TREE : MATCH_DOMAIN);
	route->transport_parents_bare = list_names(conf, "parent_domain_matches_subdomains",
		SPAN("transport_maps"));
	route->local_recipients = open_maps(opening, "local_recipient_maps", 0);
	route->aliases = open_maps(opening, "virtual_alias_maps", 0);
	route->mailboxes = open_maps(opening, "virtual_mailbox_maps", 0);
	route->relay_recipients = open_maps(opening, "relay_recipient_maps", 0);
	route->transports = open_maps(opening, "transport_maps", MAP_NO_SUBSTITUTE);
	route->sender_transports = open_maps(opening, "sender_dependent_default_transport_maps",
		MAP_NO_SUBSTITUTE);
	route->sender_relayhosts = open_maps(opening, "sender_dependent_relayhost_maps",
		MAP_NO_SUBSTITUTE);
	route->accounts = open_accounts(opening, &route->accounts_hidden);
}

static void read_names(struct conf *conf, struct route *route)
{
	route_target_parse(span_from_cstr(conf_get(conf, "local_transport")), &route->local);
	route_target_parse(span_from_cstr(conf_get(conf, "virtual_transport")), &route->mailbox);
	route_target_parse(span_from_cstr(conf_get(conf, "relay_transport")), &route->relay);
	route_target_parse(span_from_cstr(conf_get(conf, "default_transport")), &route->fallback);
	route->relayhost = memory_dup_cstr(conf_get(conf, "relayhost"));
	route->hostname = memory_dup_cstr(conf_get(conf, "myhostname"));
	route->origin = read_origin(conf_get(conf, "myorigin"));
	route->delimiters = memory_dup_cstr(conf_get(conf, "recipient_delimiter"));
	route->empty_recipient = memory_dup_cstr(conf_get(conf, "empty_address_recipient"));
	route->empty_sender_transport = memory_dup_cstr(conf_get(conf,
		"empty_address_default_transport_maps_lookup_key"));
	route->empty_sender_relayhost = memory_dup_cstr(conf_get(conf,
		"empty_address_relayhost_maps_lookup_key"));
	route->percent_hack = conf_get_bool(conf, "allow_percent_hack");
	route->bang_path = conf_get_bool(conf, "swap_bangpath");
	route->show_table_name = conf_get_bool(conf, "show_user_unknown_table_name");
}

struct route *route_open(struct conf *conf, char **ret_error)
{
	struct route *route = NEW(struct route);
	struct opening opening = {conf, ret_error, false};
	buf_init(&route->warned, 65536);
	buf_append_char(&route->warned, '\n');
	open_lists(&opening, route);
	read_names(conf, route);
	if (own_addresses_add(&route->own, span_from_cstr(conf_get(conf, "inet_interfaces"))) != 0 ||
		own_addresses_add(&route->own, span_from_cstr(conf_get(conf, "proxy_interfaces"))) != 0)
		fail(&opening, "inet_interfaces", memory_dup_cstr("cannot list this host's addresses"));
	if (!opening.failed)
		return route;
	route_close(route);
	return NULL;
}

void route_close(struct route *route)
{
	if (route == NULL)
		return;
	struct match_list *lists[] = {route->mydestination, route->alias_domains,
		route->mailbox_domains, route->relay_domains};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (lists[i] != NULL)
			match_list_close(lists[i]);
	struct map_list *maps[] = {route->local_recipients, route->aliases, route->mailboxes,
		route->relay_recipients, route->accounts, route->transports,
		route->sender_transports, route->sender_relayhosts};
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		if (maps[i] != NULL)
			map_list_close(maps[i]);
	route_target_done(&route->local);
	route_target_done(&route->mailbox);
	route_target_done(&route->relay);
	route_target_done(&route->fallback);
	char *names[] = {route->relayhost, route->hostname, route->origin, route->delimiters,
		route->empty_recipient, route->empty_sender_transport,
		route->empty_sender_relayhost};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		free(names[i]);
	own_addresses_done(&route->own);
	buf_done(&route->warned);
	free(route);
}

void route_ask_accounts(struct route *route, enum map_result (*ask)(void *arg, struct span user),
	void *arg)
{
	route->ask_account = ask;
	route->ask_account_arg = arg;
}

struct span route_delimiters(const struct route *route)
{
	return span_from_cstr(route->delimiters);
}

struct span route_origin(const struct route *route)
{
	return span_from_cstr(route->origin);
}

bool route_has_virtual_aliases(const struct route *route)
{
	return !map_list_is_empty(route->aliases);
}

enum map_result route_lookup(struct route *route, struct map_list *maps, struct span address,
	struct buf *ret_value, struct span *ret_extension)
{
	if (map_list_is_empty(maps))
		return MAP_NOT_FOUND;
	struct span domain = route_address_domain(address);
	struct address_lookup lookup = {maps, ADDRESS_KEYS_DEFAULT, route_delimiters(route), false};
	if (span_equal_nocase(domain, route_origin(route))) {
		lookup.domain_is_local = true;
	} else if (!span_is_empty(domain)) {
		enum map_result local = route_domain_is_local(route, domain);
		if (local == MAP_ERROR)
			return MAP_ERROR;
		lookup.domain_is_local = local == MAP_FOUND;
	}
	return address_lookup(&lookup, address, ret_value, ret_extension);
}

enum map_result route_virtual_alias(struct route *route, struct span address,
	struct buf *ret_value, struct span *ret_extension)
{
	return route_lookup(route, route->aliases, address, ret_value, ret_extension);
}
