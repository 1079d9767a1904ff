/* The inside of struct route, for the files of this layer.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_ROUTE_ROUTE_PRIVATE_H
#define TAMBO_ROUTE_ROUTE_PRIVATE_H

#include "net/own_address.h"
#include "route/address_lookup.h"
#include "route/route.h"

/* "transport:nexthop" taken apart; either may be "". */
struct route_target {
	char *transport, *nexthop;
};

struct route {
	struct match_list *mydestination, *alias_domains, *mailbox_domains, *relay_domains;
	struct map_list *local_recipients, *aliases, *mailboxes, *relay_recipients, *accounts;
	struct map_list *transports, *sender_transports, *sender_relayhosts;
	struct route_target local, mailbox, relay, fallback;
	char *relayhost, *hostname, *origin, *delimiters;
	char *empty_recipient, *empty_sender_transport, *empty_sender_relayhost;
	bool percent_hack, bang_path, show_table_name, transport_parents_bare;
	bool accounts_hidden; /* auth_user_maps has tables that cannot be read here */
	enum map_result (*ask_account)(void *arg, struct span user);
	void *ask_account_arg;
	struct own_addresses own;
	struct buf warned; /* domains that a warning was given for, '\n' behind each */
};

/* Where an address leads after the routes through local domains are followed. */
struct route_place {
	struct buf address; /* local@domain, the domain in lower case; no '@': just a local part */
	enum route_class class;
	bool routed;        /* non-local, and the local part looks like a route */
};
/* False: a table could not be asked. The place is to be freed with buf_done(&place->address). */
bool route_follow(struct route *route, struct span address, struct route_place *ret_place);
struct span route_address_domain(struct span address);

/* transport_maps for an address (domain in lower case). MAP_FOUND: either part may be "": no
 * change. The target is to be freed with route_target_done. */
enum map_result route_transport_lookup(struct route *route, struct span address,
	struct route_target *ret_target);

/* address_lookup with this instance's delimiters; the keys without domain when the domain is local
 * or myorigin. */
enum map_result route_lookup(struct route *route, struct map_list *maps, struct span address,
	struct buf *ret_value, struct span *ret_extension);
/* "transport:nexthop" -> heap strings. */
void route_target_parse(struct span text, struct route_target *ret_target);
void route_target_done(struct route_target *target);

#endif
