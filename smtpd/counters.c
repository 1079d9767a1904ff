/* The limits that all smtpd processes of a host share, counted by anvil (service/anvil.h). Clients
 * in smtpd_client_event_limit_exceptions are not counted. Without anvil nothing is limited.
 * SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "smtpd/session.h"

static bool is_exempt(const struct session *session)
{
	return session->stand_alone || match_list_check(session->server->event_exceptions,
		span_from_cstr(session->client_address)) != MAP_NOT_FOUND;
}

static bool ask(struct session *session, enum anvil_event event, struct anvil_answer *ret_answer)
{
	return anvil_client_count(
		&session->server->anvil, event, session->client_address, ret_answer);
}

static bool over(int64_t limit, uint32_t count)
{
	return limit > 0 && count > (uint64_t)limit;
}

bool counters_connect(struct session *session)
{
	const struct smtpd_settings *settings = &session->server->settings;
	struct anvil_answer answer;
	const char *what = NULL;
	uint32_t count = 0;

	if ((settings->connection_count_limit <= 0 && settings->connection_rate_limit <= 0) ||
		is_exempt(session) || !ask(session, ANVIL_CONNECT, &answer))
		return true;
	session->counted = true;
	if (over(settings->connection_count_limit, answer.concurrent)) {
		what = "concurrency";
		count = answer.concurrent;
	} else if (over(settings->connection_rate_limit, answer.rate)) {
		what = "rate";
		count = answer.rate;
	}
	if (what == NULL)
		return true;
	session_reply(session, "421 4.7.0 %s Error: too many connections from %s",
		settings->myhostname, session->client_address);
	log_warning(NULL, "Connection %s limit exceeded: %u from %s for service %s", what, count,
		session->client, settings->service_name);
	return false;
}

void counters_disconnect(struct session *session)
{
	struct anvil_answer answer;

	if (session->counted)
		(void)ask(session, ANVIL_DISCONNECT, &answer);
	session->counted = false;
}

bool counters_event(struct session *session, enum limit_kind kind)
{
	const struct smtpd_settings *settings = &session->server->settings;
	struct anvil_answer answer;
	enum anvil_event event = ANVIL_MESSAGE;
	int64_t limit = 0;
	const char *what = "";

	switch (kind) {
	case LIMIT_MESSAGE:
		limit = settings->message_rate_limit;
		what = "Message delivery request rate";
		break;
	case LIMIT_RECIPIENT_RATE:
		event = ANVIL_RECIPIENT;
		limit = settings->recipient_rate_limit;
		what = "Recipient address rate";
		break;
	case LIMIT_TLS:
		event = ANVIL_TLS;
		limit = settings->tls_rate_limit;
		what = "New TLS session rate";
		break;
	case LIMIT_AUTH:
		event = ANVIL_AUTH;
		limit = settings->auth_rate_limit;
		what = "AUTH command rate";
		break;
	}
	if (limit <= 0 || is_exempt(session) || !ask(session, event, &answer) ||
		!over(limit, answer.rate))
		return true;
	log_warning(NULL, "%s limit exceeded: %u from %s for service %s", what, answer.rate,
		session->client, settings->service_name);
	return false;
}
