/* See server.h. SPDX-License-Identifier: ISC */
#include "smtpd/server.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/auth.h"
#include "smtpd/policy.h"
#include "smtpd/session.h"

unsigned ehlo_keywords_parse(struct span names)
{
	static const struct {
		const char *name;
		unsigned bit;
	} keywords[] = {{"pipelining", EHLO_PIPELINING}, {"size", EHLO_SIZE}, {"vrfy", EHLO_VRFY},
		{"etrn", EHLO_ETRN}, {"starttls", EHLO_STARTTLS}, {"auth", EHLO_AUTH},
		{"enhancedstatuscodes", EHLO_ENHANCEDSTATUSCODES}, {"8bitmime", EHLO_8BITMIME},
		{"dsn", EHLO_DSN}, {"smtputf8", EHLO_SMTPUTF8}, {"chunking", EHLO_CHUNKING},
		{"silent-discard", EHLO_SILENT}, {"xclient", 0}, {"xforward", 0}, {"verp", 0}};
	struct span name;
	unsigned bits = 0;

	while (span_token(&names, " ,\t\r\n", &name)) {
		size_t i = 0;
		while (i < ARRAY_LEN(keywords) &&
			!span_equal_nocase(name, span_from_cstr(keywords[i].name)))
			i++;
		if (i < ARRAY_LEN(keywords))
			bits |= keywords[i].bit;
		else
			log_warning(NULL, "unknown EHLO keyword name: %.*s", SPAN_ARGS(name));
	}
	return bits;
}

static int open_list(struct server *server, const char *parameter, const char *patterns,
	struct match_list **ret_list)
{
	char *error = NULL;

	*ret_list = match_list_open(server->conf, patterns, MATCH_NETWORK, &error);
	if (*ret_list != NULL)
		return 0;
	log_fatal(NULL, "%s: %s", parameter, error);
	free(error);
	return -EINVAL;
}

static int open_maps(struct server *server, const char *parameter, const char *specs,
	struct map_list **ret_maps)
{
	char *error = NULL;

	*ret_maps = map_list_open(server->conf, specs, MAP_FOLD_FIXED, &error);
	if (*ret_maps != NULL)
		return 0;
	log_fatal(NULL, "%s: %s", parameter, error);
	free(error);
	return -EINVAL;
}

static struct channel *take_auth(void *arg, task_time deadline)
{
	struct server *server = arg;
	return server->services.take(PEER_AUTH, deadline);
}

static struct channel *take_anvil(void *arg, task_time deadline)
{
	struct server *server = arg;
	return server->services.take(PEER_COUNTERS, deadline);
}

static void give_auth(void *arg, struct channel *channel_take)
{
	struct server *server = arg;
	server->services.give(PEER_AUTH, channel_take);
}

/* Password files are not for this process: auth says whether a local user has an account. */
static enum map_result ask_account(void *arg, struct span user)
{
	struct server *server = arg;
	switch (auth_client_account(&server->auth, user)) {
	case ACCOUNT_EXISTS:
		return MAP_FOUND;
	case ACCOUNT_IS_UNKNOWN:
		return MAP_NOT_FOUND;
	case ACCOUNT_CANNOT_TELL:
		break;
	}
	log_warning(NULL, "the auth service gives no answer about account %.*s",
		SPAN_ARGS(span_head(user, 100)));
	return MAP_ERROR;
}

static int open_tables(struct server *server)
{
	const struct smtpd_settings *s = &server->settings;
	char *error = NULL;
	int rc = open_list(server, "mynetworks", s->mynetworks, &server->mynetworks);

	if (rc == 0)
		rc = open_list(server, "smtpd_client_event_limit_exceptions",
			s->event_limit_exceptions, &server->event_exceptions);
	if (rc == 0)
		rc = open_list(server, "smtpd_sasl_exceptions_networks", s->sasl_exceptions,
			&server->sasl_exceptions);
	if (rc == 0)
		rc = open_list(server, "smtpd_forbid_bare_newline_exclusions",
			s->bare_newline_exclusions, &server->newline_exclusions);
	if (rc == 0)
		rc = open_maps(server, "smtpd_discard_ehlo_keyword_address_maps",
			s->discard_ehlo_keyword_maps, &server->ehlo_maps);
	if (rc == 0)
		rc = open_maps(server, "smtpd_sender_login_maps", s->sender_login_maps,
			&server->sender_logins);
	if (rc != 0)
		return rc;
	server->route = route_open(server->conf, &error);
	if (server->route == NULL) {
		log_fatal(NULL, "%s", error);
		free(error);
		return -EINVAL;
	}
	route_ask_accounts(server->route, ask_account, server);
	return policy_open(server, &server->policy);
}

static int set_newline(struct server *server)
{
	const char *value = server->settings.forbid_bare_newline;
	struct span name = span_from_cstr(value);

	if (span_equal_nocase(name, SPAN("normalize")) || span_equal_nocase(name, SPAN("yes")))
		server->newline = SMTP_NEWLINE_NORMALIZE;
	else if (span_equal_nocase(name, SPAN("reject")))
		server->newline = SMTP_NEWLINE_REJECT;
	else if (span_equal_nocase(name, SPAN("no")) || span_equal_nocase(name, SPAN("note")))
		server->newline = SMTP_NEWLINE_ALLOW;
	else {
		log_fatal(NULL, "smtpd_forbid_bare_newline: bad value \"%s\"", value);
		return -EINVAL;
	}
	return 0;
}

int server_open(struct server *server, struct conf *conf)
{
	struct services services = server->services;

	*server = (struct server){.conf = conf, .services = services};
	server->auth = (struct auth_client){
		.service = SPAN("smtp"), .arg = server, .take = take_auth, .give = give_auth};
	list_init(&server->sessions);
	int rc = smtpd_settings_read(conf, &server->settings);
	if (rc != 0)
		return rc;
	const struct smtpd_settings *s = &server->settings;
	anvil_client_init(&server->anvil, s->service_name, take_anvil, server);
	if (s->protocol == NULL || s->protocol[0] == '\0' ||
		span_equal_nocase(span_from_cstr(s->protocol), SPAN("smtp")))
		server->lmtp = false;
	else if (span_equal_nocase(span_from_cstr(s->protocol), SPAN("lmtp")))
		server->lmtp = true;
	else {
		log_fatal(NULL, "smtpd_protocol: bad value \"%s\": specify smtp or lmtp", s->protocol);
		return -EINVAL;
	}
	server->ehlo_discard = ehlo_keywords_parse(span_from_cstr(s->discard_ehlo_keywords));
	struct span overrides = span_from_cstr(s->receive_override_options);
	server->no_unknown_recipient_checks =
		span_has_word(overrides, SPAN("no_unknown_recipient_checks"));
	server->no_address_mappings = span_has_word(overrides, SPAN("no_address_mappings"));
	rc = set_newline(server);
	if (rc == 0)
		rc = server_tls_open(conf, "smtpd", "smtp", &server->tls);
	return rc != 0 ? rc : open_tables(server);
}

void server_close(struct server *server)
{
	policy_close(server->policy);
	if (server->route != NULL)
		route_close(server->route);
	match_list_close(server->mynetworks);
	match_list_close(server->event_exceptions);
	match_list_close(server->sasl_exceptions);
	match_list_close(server->newline_exclusions);
	map_list_close(server->ehlo_maps);
	map_list_close(server->sender_logins);
	if (server->tls.context != NULL)
		tls_context_free(server->tls.context);
	anvil_client_done(&server->anvil);
	auth_client_done(&server->auth);
}

void server_stop(struct server *server)
{
	LIST_FOREACH(node, &server->sessions)
		session_wake(LIST_ENTRY(node, struct session, node));
}
