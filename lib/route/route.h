/* Where an address belongs and where its mail goes: one classifier for smtpd (relay control,
 * recipient validation) and qmgr (transport and nexthop). The classes and their order are Postfix's
 * ADDRESS_CLASS_README: local, virtual alias, virtual mailbox, relay, default. A table that cannot
 * be asked is always an error (temporary), never "no".
 *
 * Addresses are local@domain in internal form (no quotes). An address whose domain is local and
 * whose local part itself holds a route (user%other, other!user, user@other) stands for that other
 * address, as in Postfix; for every other class such a local part marks it as routed by its sender,
 * and route_is_ours refuses it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_ROUTE_ROUTE_H
#define TAMBO_ROUTE_ROUTE_H

#include "map/map.h"

struct route;

enum route_class {
	ROUTE_LOCAL,           /* mydestination, [address of ours], no domain at all */
	ROUTE_VIRTUAL_ALIAS,   /* virtual_alias_domains */
	ROUTE_VIRTUAL_MAILBOX, /* virtual_mailbox_domains */
	ROUTE_RELAY,           /* relay_domains */
	ROUTE_DEFAULT,         /* everything else */
};

/* Opens all tables it needs: call it in prepare(), outside the sandbox. NULL and *ret_error (free
 * it) when a parameter cannot be used. */
struct route *route_open(struct conf *conf, char **ret_error);
void route_close(struct route *route);

/* The class of an address (of its domain, after routes through local domains are followed). False
 * when a table could not be asked. */
bool route_class(struct route *route, struct span address, enum route_class *ret_class);
const char *route_class_name(enum route_class class);
/* Is this domain (no '@') local: mydestination or an address literal of ours? */
enum map_result route_domain_is_local(struct route *route, struct span domain);
/* For reject_unauth_destination. MAP_FOUND: mail for it is delivered here or by relay_domains, and
 * the sender did not put a route into it. MAP_NOT_FOUND: relaying. MAP_ERROR: temporary. */
enum map_result route_is_ours(struct route *route, struct span address);

/* Does the recipient exist, as far as tables know? virtual_alias_maps first, then the class's
 * table: local_recipient_maps (then the accounts of auth_user_maps, see below), virtual_alias_maps,
 * virtual_mailbox_maps, relay_recipient_maps; an empty list of the local, mailbox or relay class
 * accepts everything; the default class always does. Also unknown: an address that transport_maps
 * gives to error:. */
struct route_verdict {
	enum map_result result; /* MAP_FOUND: may exist; MAP_NOT_FOUND: refuse; MAP_ERROR: 4.3.0 */
	enum route_class class; /* whose reject code parameter applies */
	char dsn[12];           /* "5.1.1" (or what an error: transport said) */
	char text[256];         /* "User unknown in local recipient table" */
};
/* Accounts of auth_user_maps that this process may not look up (a password file of root): a local
 * user that no table lists is asked for with this function, by the local part without its
 * extension. It may wait. Without it such accounts do not exist here. */
void route_ask_accounts(struct route *route, enum map_result (*ask)(void *arg, struct span user),
	void *arg);
void route_validate_recipient(struct route *route, struct span address,
	struct route_verdict *ret_verdict);

/* Transport, nexthop and final recipient of a message to one recipient. Precedence: transport_maps
 * (not for virtual alias domains) > sender_dependent_default_transport_maps (default class) > the
 * class transport's own nexthop > sender_dependent_relayhost_maps > relayhost (relay and default
 * class) > the recipient's domain. */
struct route_result {
	enum route_class class;
	struct buf transport; /* master.cf service, or "error", "retry", "discard" */
	struct buf nexthop;   /* lower case; for error and retry: the text with its dsn */
	struct buf recipient; /* the address to hand to the agent */
};
void route_result_init(struct route_result *result);
void route_result_done(struct route_result *result);
/* sender: "" for the null sender. The result is emptied first. False when a table could not be
 * asked: the recipient is to be deferred. */
bool route_resolve(struct route *route, struct span recipient, struct span sender,
	struct route_result *ret_result);

/* What cleanup needs for virtual aliases: the delimiters, and myorigin for
 * results without domain. */
struct span route_delimiters(const struct route *route);
struct span route_origin(const struct route *route);
/* virtual_alias_maps with Postfix's key order. *ret_extension as in address_lookup(). */
enum map_result route_virtual_alias(struct route *route, struct span address,
	struct buf *ret_value, struct span *ret_extension);
bool route_has_virtual_aliases(const struct route *route);

/* Cuts a leading "5.1.1 " off text; dsn gets it, or the default. */
struct span route_cut_dsn(struct span text, const char *default_dsn, char dsn[12]);

#endif
