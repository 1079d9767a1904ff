/* See greet.h. Nothing a server said before a TLS handshake is kept after it: its offer is asked
 * for again, its buffered bytes are dropped.
 * SPDX-License-Identifier: ISC */
#include "smtp/greet.h"

#include "base/log.h"
#include "smtp/client_tls.h"
#include "smtp/sasl.h"
#include "smtp/settings.h"

#define SMTP_PORT_SUFFIX SPAN(":25")

static void refused(struct connection *connection, struct problem *problem)
{
	problem_set_reply(problem, span_from_cstr(connection->host), &connection->reply,
		"host %s refused to talk to me: %.*s", connection->label,
		SPAN_ARGS(buf_span(&connection->reply.text)));
}

static bool read_greeting(struct connection *connection, struct problem *problem)
{
	if (!connection_receive(connection, settings.helo_timeout,
		    "receiving the initial server greeting", problem))
		return false;
	if (smtp_reply_class(&connection->reply) == 2)
		return true;
	refused(connection, problem);
	if (settings.skip_5xx_greeting)
		problem_soften(problem);
	return false;
}

static bool say(struct connection *connection, const char *verb, const char *doing, bool offer,
	struct problem *problem)
{
	struct buf line = BUF_INIT(512);
	buf_append_format(&line, "%s %s", verb, settings.helo_name);
	bool good =
		connection_send(
			connection, settings.helo_timeout, doing, problem, buf_span(&line)) &&
		(offer ? connection_receive_offer(connection, settings.helo_timeout, doing, problem)
		       : connection_receive(connection, settings.helo_timeout, doing, problem));
	buf_done(&line);
	return good;
}

/* A server that calls itself what we call ourselves is most likely ourselves. */
static bool is_myself(struct connection *connection, const struct next_hop *hop,
	struct problem *problem)
{
	if (settings.lmtp ||
		!span_ends_with(span_from_cstr(connection->label_port), SMTP_PORT_SUFFIX) ||
		!span_equal_nocase(
			buf_span(&connection->offer.host), span_from_cstr(settings.myhostname)))
		return false;
	log_warning(NULL, "host %s replied to HELO/EHLO with my own hostname %s",
		connection->label_port, settings.myhostname);
	problem_set(problem, connection->best_mx ? "5.4.6" : "4.4.6",
		"mail for %.*s loops back to myself", SPAN_ARGS(hop->text));
	return true;
}

static bool hello(
	struct connection *connection, const struct next_hop *hop, struct problem *problem)
{
	connection->esmtp = false;
	connection->extensions = 0;
	if (settings.lmtp || settings.always_ehlo || !settings.never_ehlo) {
		const char *doing = settings.lmtp ? "performing the LHLO handshake" :
						    "performing the EHLO handshake";
		if (!say(connection, settings.lmtp ? "LHLO" : "EHLO", doing, true, problem))
			return false;
		connection->esmtp = smtp_reply_class(&connection->reply) == 2;
	}
	if (connection->esmtp) {
		connection->extensions = connection->offer.extensions & ~settings.discard;
		return !is_myself(connection, hop, problem);
	}
	if (settings.lmtp || connection->broken) {
		refused(connection, problem);
		return false;
	}
	smtp_offer_reset(&connection->offer);
	if (!say(connection, "HELO", "performing the HELO handshake", false, problem))
		return false;
	if (smtp_reply_class(&connection->reply) == 2)
		return true;
	refused(connection, problem);
	return false;
}

static enum greet_result handshake(struct connection *connection, const struct tls_policy *policy,
	const struct next_hop *hop, struct problem *problem)
{
	switch (client_tls_start(connection, policy, hop, problem)) {
	case CLIENT_TLS_OK:
		return GREET_OK;
	case CLIENT_TLS_HANDSHAKE:
		return policy->level == TLS_LEVEL_MAY ? GREET_WITHOUT_TLS : GREET_FAILED;
	case CLIENT_TLS_REFUSED:
		break;
	}
	return GREET_FAILED;
}

static enum greet_result start_tls(struct connection *connection, const struct tls_policy *policy,
	const struct next_hop *hop, struct problem *problem)
{
	bool required = policy->level >= TLS_LEVEL_ENCRYPT;
	bool offered = (connection->extensions & SMTP_EXTENSION_STARTTLS) != 0;
	if (!offered && required) {
		problem_set(problem, "4.7.4", "TLS is required, but was not offered by host %s",
			connection->label);
		return GREET_FAILED;
	}
	if (!offered || policy->level == TLS_LEVEL_NONE) {
		if (offered && settings.tls_note_offer)
			log_info(NULL, "Host offered STARTTLS: [%s]", connection->host);
		return GREET_OK;
	}
	if (!connection_ask(connection, settings.starttls_timeout,
		    "performing the STARTTLS exchange", problem, SPAN("STARTTLS")))
		return GREET_FAILED;
	if (smtp_reply_class(&connection->reply) != 2) {
		if (!required && !connection->broken)
			return GREET_OK;
		problem_set_reply(problem, span_from_cstr(connection->host), &connection->reply,
			"TLS is required, but host %s refused to start TLS: %.*s",
			connection->label, SPAN_ARGS(buf_span(&connection->reply.text)));
		problem_soften(problem);
		return GREET_FAILED;
	}
	enum greet_result result = handshake(connection, policy, hop, problem);
	if (result == GREET_OK && !hello(connection, hop, problem))
		return GREET_FAILED;
	return result;
}

static bool log_in(struct connection *connection, const struct next_hop *hop, struct span sender,
	struct problem *problem)
{
	struct credentials credentials;
	bool found = false, good;
	if (!settings.sasl_enable || (connection->extensions & SMTP_EXTENSION_AUTH) == 0)
		return true;
	credentials_init(&credentials);
	good = credentials_find(connection, hop, sender, &credentials, &found, problem);
	if (good && found)
		good = sasl_login(connection, &credentials, problem);
	credentials_done(&credentials);
	return good;
}

enum greet_result greet(struct connection *connection, const struct tls_policy *policy,
	const struct next_hop *hop, struct span sender, struct problem *problem)
{
	enum greet_result result = GREET_OK;
	if (settings.tls_wrappermode)
		result = handshake(connection, policy, hop, problem);
	if (result != GREET_OK)
		return result;
	if (!read_greeting(connection, problem) || !hello(connection, hop, problem))
		return GREET_FAILED;
	if (!connection->tls)
		result = start_tls(connection, policy, hop, problem);
	if (result != GREET_OK)
		return result;
	return log_in(connection, hop, sender, problem) ? GREET_OK : GREET_FAILED;
}
