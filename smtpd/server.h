/* What all sessions of one smtpd process share: settings, tables, the TLS context, the policy, and
 * the way to other daemons. Opened before the sandbox closes; read-only afterwards but for caches.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include "base/list.h"
#include "daemon/server_tls.h"
#include "ipc/channel.h"
#include "map/map.h"
#include "route/route.h"
#include "service/anvil_client.h"
#include "service/auth_client.h"
#include "smtp/data.h"
#include "smtpd/settings.h"

struct policy;

enum service_peer { PEER_CLEANUP, PEER_AUTH, PEER_COUNTERS, PEER_LOOKUP, PEER_COUNT };

/* The other daemons as a session sees them; tests put fakes here. */
struct services {
	struct channel *(*take)(enum service_peer peer, task_time deadline); /* NULL: none */
	/* Only a channel whose last exchange ended well; others are freed. */
	void (*give)(enum service_peer peer, struct channel *channel_take);
	bool (*stopping)(void);
};

enum ehlo_keyword {
	EHLO_PIPELINING = 1, EHLO_SIZE = 2, EHLO_VRFY = 4, EHLO_ETRN = 8, EHLO_STARTTLS = 16,
	EHLO_AUTH = 32, EHLO_ENHANCEDSTATUSCODES = 64, EHLO_8BITMIME = 128, EHLO_DSN = 256,
	EHLO_SMTPUTF8 = 512, EHLO_CHUNKING = 1024, EHLO_SILENT = 2048,
};

struct server {
	struct conf *conf;
	struct smtpd_settings settings;
	struct services services;
	struct route *route;
	struct policy *policy;
	struct match_list *mynetworks, *event_exceptions, *sasl_exceptions, *newline_exclusions;
	struct map_list *ehlo_maps, *sender_logins;
	struct server_tls tls;
	enum smtp_newline newline;
	unsigned ehlo_discard;   /* enum ehlo_keyword */
	bool lmtp;
	bool no_unknown_recipient_checks, no_address_mappings;

	struct list_node sessions;
	struct anvil_client anvil;
	struct auth_client auth;
};

/* 0 or -errno (logged). server->services is set by the caller before. */
int server_open(struct server *server, struct conf *conf);
void server_close(struct server *server);

/* Bits of the named keywords; unknown names are ignored with a warning. */
unsigned ehlo_keywords_parse(struct span names);

/* Ends idle sessions with a 421 and lets the others finish their transaction. */
void server_stop(struct server *server);

#endif
