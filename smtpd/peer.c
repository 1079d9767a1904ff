/* Who the client is: its address, and its name if the name's address is that one again. Asking
 * takes time, so only this session waits. Log lines as Postfix's smtpd_peer.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "smtpd/session.h"

#define ASK_TIMEOUT 20000

static char *format_address(const struct address *address)
{
	struct buf text = BUF_INIT(200);

	address_format(address, &text);
	return buf_steal(&text);
}

static void set_name(char **name, struct span value)
{
	free(*name);
	*name = span_dup_cstr(value);
}

/* A name that can stand in logs and Received: fields. */
static bool plausible_name(struct span name)
{
	return name.len > 0 && name.len < 256 && mail_domain_is_name(name);
}

static void ask_name(struct session *session)
{
	task_time deadline = task_deadline(ASK_TIMEOUT);
	struct channel *channel = session->server->services.take(PEER_LOOKUP, deadline);
	struct lookup_question question = {.kind = LOOKUP_PEER,
		.name = span_from_cstr(session->client_address)};
	void *message = NULL;

	session->name_status = session->reverse_status = LOOKUP_TEMPORARY;
	if (channel == NULL)
		return;
	if (channel_call(channel, &lookup_question_type, &question, &lookup_answer_type, deadline,
		&message) != 0) {
		channel_free(channel);
		return;
	}
	const struct lookup_answer *answer = message;
	enum lookup_status status = (enum lookup_status)answer->status;
	struct span name = answer->name;
	if (name.len > 0 && !plausible_name(name)) {
		log_warning(NULL, "numeric or malformed hostname: %.*s",
			SPAN_ARGS(span_head(name, 100)));
		status = LOOKUP_NOT_FOUND;
	}
	switch (status) {
	case LOOKUP_FOUND:
		session->name_status = session->reverse_status = LOOKUP_FOUND;
		set_name(&session->client_name, name);
		set_name(&session->client_reverse, name);
		break;
	case LOOKUP_MISMATCH:
	case LOOKUP_FORWARD_TEMPORARY:
		session->reverse_status = LOOKUP_FOUND;
		session->name_status = status == LOOKUP_MISMATCH ? LOOKUP_NOT_FOUND :
			LOOKUP_TEMPORARY;
		set_name(&session->client_reverse, name);
		log_warning(NULL, "hostname %s does not resolve to address %s",
			session->client_reverse, session->client_address);
		break;
	case LOOKUP_NOT_FOUND:
	case LOOKUP_NULL_MX:
		session->name_status = session->reverse_status = LOOKUP_NOT_FOUND;
		break;
	case LOOKUP_TEMPORARY:
		break;
	}
	session->server->services.give(PEER_LOOKUP, channel);
}

void peer_identify(struct session *session, const struct address *peer)
{
	const struct smtpd_settings *settings = &session->server->settings;
	struct address remote = *peer, local;
	struct buf text = BUF_INIT(600);

	session->client_name = memory_dup_cstr("unknown");
	session->client_reverse = memory_dup_cstr("unknown");
	session->name_status = session->reverse_status = LOOKUP_NOT_FOUND;
	address_unmap(&remote);
	if (remote.any.sa_family == AF_INET || remote.any.sa_family == AF_INET6) {
		session->client_address = format_address(&remote);
		buf_append_u64(&text, address_port(&remote));
		session->client_port = buf_steal(&text);
		if (address_is_loopback(&remote)) {
			session->name_status = session->reverse_status = LOOKUP_FOUND;
			set_name(&session->client_name, SPAN("localhost"));
			set_name(&session->client_reverse, SPAN("localhost"));
		} else if (settings->peername_lookup) {
			ask_name(session);
		}
	} else {
		/* A UNIX socket: local, yet not a network that may relay. */
		set_name(&session->client_name, SPAN("localhost"));
		set_name(&session->client_reverse, SPAN("localhost"));
		session->name_status = session->reverse_status = LOOKUP_FOUND;
		session->client_address = memory_dup_cstr("unix");
		session->client_port = memory_dup_cstr("unknown");
	}
	if (socket_local_address(stream_fd(session->stream), &local) == 0) {
		address_unmap(&local);
		session->server_address = format_address(&local);
	} else {
		session->server_address = memory_dup_cstr("unknown");
	}
	buf_append_format(&text, "%s[%s]", session->client_name, session->client_address);
	if (settings->port_logging)
		buf_append_format(&text, ":%s", session->client_port);
	session->client = buf_steal(&text);
}

void peer_done(struct session *session)
{
	free(session->client_name);
	free(session->client_reverse);
	free(session->client_address);
	free(session->client_port);
	free(session->server_address);
	free(session->client);
}
