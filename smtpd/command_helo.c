/* HELO, EHLO, LHLO: who the client says it is, and what we offer. RFC 5321 section 4.1.1.1,
 * RFC 2033 section 4.1.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "smtpd/commands.h"
#include "smtpd/policy.h"

#define HELO_MAX 1000
#define REPLY_MAX 65536

/* What a log, a table and Received: can hold: as Postfix, '?' for control bytes. */
static char *clean_name(struct span name)
{
	char *clean = memory_alloc(name.len + 1);
	for (size_t i = 0; i < name.len; i++)
		clean[i] = ascii_is_control(name.ptr[i]) ? '?' : name.ptr[i];
	clean[name.len] = '\0';
	return clean;
}

/* Takes the name (of several words, as Postfix does). False: refused, the client has its reply. */
static bool accept_name(struct session *session, const struct smtp_command *command)
{
	struct policy_verdict verdict;
	bool good = true;

	session_reset_helo(session);
	session->helo = clean_name(span_head(command->arguments, HELO_MAX));
	if (session->stand_alone || session->server->settings.delay_reject)
		return true;
	policy_verdict_init(&verdict);
	if (policy_check_helo(session, &verdict) == POLICY_REJECT) {
		session_reply(session, "%s", buf_cstr(&verdict.reply));
		session_reset_helo(session);
		good = false;
	}
	policy_verdict_done(&verdict);
	return good;
}

void session_reset_helo(struct session *session)
{
	transaction_reset(session);
	free(session->helo);
	session->helo = NULL;
	session->esmtp = false;
}

enum command_result command_helo(struct session *session, const struct smtp_command *command)
{
	if (command->arguments.len == 0) {
		session_reply(session, "501 Syntax: HELO hostname");
		return COMMAND_FAILED;
	}
	if (!accept_name(session, command))
		return COMMAND_FAILED;
	session_reply(session, "250 %s", session->server->settings.myhostname);
	return COMMAND_DONE;
}

struct keyword_list {
	struct session *session;
	struct buf reply;
	size_t last; /* where its last line begins */
	unsigned discard;
};

static void add_line(struct keyword_list *list, const char *text)
{
	list->last = list->reply.len;
	buf_append_cstr(&list->reply, "250-");
	buf_append_cstr(&list->reply, text);
	buf_append_cstr(&list->reply, "\r\n");
}

static void offer(struct keyword_list *list, enum ehlo_keyword keyword, const char *text)
{
	if ((list->discard & keyword) == 0)
		add_line(list, text);
}

static void offer_auth(struct keyword_list *list)
{
	struct session *session = list->session;
	struct buf line = BUF_INIT(1000);

	if (!session_sasl_active(session) || session->sasl_username != NULL)
		return;
	struct span mechanisms = command_auth_mechanisms(session);
	if (mechanisms.len == 0)
		return;
	buf_append_format(&line, "AUTH %.*s", SPAN_ARGS(mechanisms));
	offer(list, EHLO_AUTH, buf_cstr(&line));
	if (session->server->settings.broken_sasl_clients) {
		buf_reset(&line);
		buf_append_format(&line, "AUTH=%.*s", SPAN_ARGS(mechanisms));
		offer(list, EHLO_AUTH, buf_cstr(&line));
	}
	buf_done(&line);
}

/* In Postfix's order, which some scripts know. */
static void offer_all(struct keyword_list *list)
{
	struct session *session = list->session;
	const struct smtpd_settings *settings = &session->server->settings;
	char size[64];

	offer(list, EHLO_PIPELINING, "PIPELINING");
	if (settings->message_size_limit > 0)
		(void)snprintf(size, sizeof(size), "SIZE %lld",
			(long long)settings->message_size_limit);
	offer(list, EHLO_SIZE, settings->message_size_limit > 0 ? size : "SIZE");
	if (!settings->disable_vrfy)
		offer(list, EHLO_VRFY, "VRFY");
	if (session->server->tls.available && !session_is_tls(session) && !session->stand_alone)
		offer(list, EHLO_STARTTLS, "STARTTLS");
	offer_auth(list);
	offer(list, EHLO_ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES");
	offer(list, EHLO_8BITMIME, "8BITMIME");
	offer(list, EHLO_DSN, "DSN");
	if (settings->smtputf8)
		offer(list, EHLO_SMTPUTF8, "SMTPUTF8");
	offer(list, EHLO_CHUNKING, "CHUNKING");
}

enum command_result command_ehlo(struct session *session, const struct smtp_command *command)
{
	struct keyword_list list = {.session = session, .reply = BUF_INIT(REPLY_MAX),
		.discard = session->ehlo_discard};

	if (command->arguments.len == 0) {
		session_reply(session, "501 Syntax: %s hostname", smtp_verb_name(command->verb));
		return COMMAND_FAILED;
	}
	if (!accept_name(session, command))
		return COMMAND_FAILED;
	session->esmtp = true;
	if ((list.discard & ~(unsigned)EHLO_SILENT) != 0 && (list.discard & EHLO_SILENT) == 0)
		log_info(NULL, "discarding EHLO keywords: %s",
			session->server->settings.discard_ehlo_keywords);
	add_line(&list, session->server->settings.myhostname);
	offer_all(&list);
	CHECK(!list.reply.overflow);
	list.reply.ptr[list.last + strlen("250")] = ' ';
	(void)stream_write(session->stream, buf_span(&list.reply));
	buf_done(&list.reply);
	return COMMAND_DONE;
}
