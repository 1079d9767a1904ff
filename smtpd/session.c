/* One conversation from the greeting to the last log line: reads commands, keeps the limits, calls
 * the command's function (commands.c). RFC 5321 sections 3.1, 4.1, 4.5.3; RFC 2920.
 * SPDX-License-Identifier: ISC */
#include "smtpd/session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/socket.h"
#include "smtpd/commands.h"
#include "smtpd/policy.h"

#define INPUT_MAX (128 * 1024)
#define OUTPUT_MAX (8 * 1024)
/* Parting words may take this long. */
#define GOODBYE_TIMEOUT 10000

/* Control bytes of what came early, as \r, \n or \ooo; at most 100 bytes of it. */
static void log_early_input(const struct session *session, struct span input)
{
	struct buf text = BUF_INIT(500);

	input = span_head(input, 100);
	for (size_t i = 0; i < input.len; i++) {
		char c = input.ptr[i];
		if (c == '\r')
			buf_append_cstr(&text, "\\r");
		else if (c == '\n')
			buf_append_cstr(&text, "\\n");
		else if (c == '\t')
			buf_append_cstr(&text, "\\t");
		else if (c == ' ' || ascii_is_graph(c))
			buf_append_char(&text, c);
		else
			buf_append_format(&text, "\\%03o", (unsigned char)c);
	}
	log_info(NULL, "improper command pipelining after %s from %s: %s", session->where,
		session->client, buf_cstr(&text));
	buf_done(&text);
}

/* The client spoke when it had to wait. True: the conversation is over. */
static bool early_input(struct session *session)
{
	struct span input = stream_buffered(session->stream);

	if (input.len == 0 || session->ill_pipelining)
		return false;
	session->ill_pipelining = true;
	log_early_input(session, input);
	if (!session->server->settings.forbid_unauth_pipelining)
		return false;
	stream_drop_input(session->stream);
	session_reply(session, "554 5.5.0 Error: SMTP protocol synchronization");
	session->hangup = true;
	return true;
}

/* True: the line is not for the command table; it has been answered. */
static bool answer_without_table(struct session *session, const struct smtp_command *command,
	struct span line)
{
	const struct smtpd_settings *settings = &session->server->settings;

	if (settings->smtputf8 && !span_is_utf8(line)) {
		session_reply(session, "500 5.5.2 Error: bad UTF-8 syntax");
		session->errors++;
		return true;
	}
	if (command->verb == SMTP_EMPTY) {
		session_reply(session, "500 5.5.2 Error: bad syntax");
		session->errors++;
		return true;
	}
	if (span_has_word(span_from_cstr(settings->noop_commands), command->name)) {
		session_reply(session, "250 2.0.0 Ok");
		if (session->junk++ > (unsigned)settings->junk_command_limit)
			session->errors++;
		return true;
	}
	if (command->verb == SMTP_UNKNOWN && (smtp_name_is_header(command->name) ||
		span_has_word(span_from_cstr(settings->forbidden_commands), command->name))) {
		session->where = "UNKNOWN";
		session->counts[SMTP_UNKNOWN].total++;
		log_warning(NULL, "non-SMTP command from %s: %.*s", session->client,
			SPAN_ARGS(span_head(line, 100)));
		session_reply(session, "221 2.7.0 Error: I can break rules, too. Goodbye.");
		session->hangup = true;
		return true;
	}
	return false;
}

static void run_command(struct session *session, const struct smtp_command *command)
{
	const struct command_row *row = command_find(command->verb, session->server->lmtp);

	session->where = row == NULL ? "UNKNOWN" : smtp_verb_name(command->verb);
	session->counts[row == NULL ? SMTP_UNKNOWN : command->verb].total++;
	if (session->access_denied != NULL && command->verb != SMTP_QUIT) {
		session_reply(session, "503 5.7.0 Error: access denied for %s", session->client);
		session->errors++;
		return;
	}
	if (row == NULL) {
		session_reply(session, "500 5.5.2 Error: command not recognized");
		session->errors++;
		return;
	}
	bool last = (row->flags & COMMAND_LAST) != 0 || !session->esmtp;
	if (last && early_input(session))
		return;
	if (session->server->tls.required && !session_is_tls(session) &&
		(row->flags & COMMAND_BEFORE_TLS) == 0 && !session->stand_alone) {
		session_reply(session, "530 5.7.0 Must issue a STARTTLS command first");
		session->errors++;
		return;
	}
	if (row->run(session, command) == COMMAND_DONE)
		session->counts[command->verb].ok++;
	else
		session->errors++;
	if ((row->flags & COMMAND_JUNK) != 0 &&
		session->junk++ > (unsigned)session->server->settings.junk_command_limit)
		session->errors++;
}

/* The command loop. */
static void converse(struct session *session)
{
	const struct smtpd_settings *settings = &session->server->settings;

	while (!session->hangup && session->ended_by == NULL) {
		struct span line;
		struct smtp_command command;
		if (session->errors >= (unsigned)settings->hard_error_limit) {
			session->ended_by = "too many errors";
			session_reply(session, "421 4.7.0 %s Error: too many errors",
				settings->myhostname);
			return;
		}
		session->idle = session->transaction == NULL;
		int rc = session->idle && session->server->services.stopping() ? -EPIPE :
			session_read_line(session, (size_t)settings->line_length_limit, &line, NULL);
		session->idle = false;
		if (rc != 0 && session->transaction == NULL &&
			session->server->services.stopping()) {
			session->ended_by = NULL;
			session_reply(session, "421 4.3.2 %s Service closing transmission channel",
				settings->myhostname);
			return;
		}
		if (rc != 0)
			return;
		if (session->bare_lf && session->newline == SMTP_NEWLINE_REJECT) {
			session_reply(session, "521 5.5.2 %s Error: bare <LF> received",
				settings->myhostname);
			return;
		}
		/* The stream's buffer is read into again by commands that have more input. */
		char *copy = span_dup_cstr(line);
		line = span_new(copy, line.len);
		smtp_command_parse(line, &command);
		if (!answer_without_table(session, &command, line))
			run_command(session, &command);
		free(copy);
	}
}

static void greet(struct session *session)
{
	const struct smtpd_settings *settings = &session->server->settings;

	if (!session->stand_alone && !settings->delay_reject) {
		struct policy_verdict verdict;
		policy_verdict_init(&verdict);
		if (policy_check_client(session, &verdict) == POLICY_REJECT) {
			session->access_denied = memory_dup_cstr(buf_cstr(&verdict.reply));
			session_reply(session, "%s", session->access_denied);
			session->errors++;
		}
		policy_verdict_done(&verdict);
	}
	if (session->access_denied == NULL && !session->hangup && !early_input(session))
		session_reply(session, "220 %s", settings->banner);
}

static void log_end(const struct session *session)
{
	const struct transaction *transaction = session->transaction;
	bool content = transaction != NULL && session->ended_by != NULL &&
		(transaction->bdat || transaction->queue_id[0] != '\0');

	if (session->ended_by == NULL)
		return;
	if (content)
		log_info(NULL, "%s after %s (%llu bytes) from %s", session->ended_by,
			transaction->bdat ? "BDAT" : "DATA",
			(unsigned long long)transaction->data.size, session->client);
	else if (span_compare(span_from_cstr(session->where), SPAN("END-OF-MESSAGE")) != 0 ||
		session->ended_by[0] != 'l')
		log_info(NULL, "%s after %s from %s", session->ended_by, session->where,
			session->client);
}

static void log_disconnect(const struct session *session)
{
	/* Postfix's order, which log tools know */
	static const enum smtp_verb order[] = {SMTP_HELO, SMTP_EHLO, SMTP_LHLO, SMTP_STARTTLS,
		SMTP_AUTH, SMTP_MAIL, SMTP_RCPT, SMTP_DATA, SMTP_BDAT, SMTP_RSET, SMTP_NOOP,
		SMTP_VRFY, SMTP_ETRN, SMTP_QUIT, SMTP_HELP, SMTP_UNKNOWN};
	struct buf text = BUF_INIT(1000);
	unsigned ok = 0, total = 0;

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		unsigned good = session->counts[order[i]].ok, all = session->counts[order[i]].total;
		if (all == 0)
			continue;
		ok += good;
		total += all;
		buf_append_char(&text, ' ');
		for (const char *name = smtp_verb_name(order[i]); *name != '\0'; name++)
			buf_append_char(&text, ascii_lower(*name));
		buf_append_format(&text, "=%u", good);
		if (good != all)
			buf_append_format(&text, "/%u", all);
	}
	buf_append_format(&text, " commands=%u", ok);
	if (ok != total)
		buf_append_format(&text, "/%u", total);
	if (session->bare_lf)
		buf_append_cstr(&text, " notes=bare_lf");
	log_info(NULL, "disconnect from %s%s", session->client, buf_cstr(&text));
	buf_done(&text);
}

static void talk(struct session *session)
{
	struct server *server = session->server;

	log_info(NULL, "connect from %s", session->client);
	if (!counters_connect(session))
		return;
	if (server->tls.wrapper && !session->stand_alone &&
		!command_tls_begin(session))
		return;
	greet(session);
	converse(session);
	if (session->ended_by != NULL && session->ended_by[0] == 't' &&
		span_equal(span_from_cstr(session->ended_by), SPAN("timeout")))
		session_reply(session, "421 4.4.2 %s Error: timeout exceeded",
			server->settings.myhostname);
}

static void set_newline(struct session *session)
{
	struct server *server = session->server;

	session->newline = server->newline;
	if (session->newline != SMTP_NEWLINE_ALLOW &&
		match_list_check(server->newline_exclusions,
			span_from_cstr(session->client_address)) == MAP_FOUND)
		session->newline = SMTP_NEWLINE_ALLOW;
}

static void set_ehlo_discard(struct session *session)
{
	struct buf words = BUF_INIT(1000);

	session->ehlo_discard = session->server->ehlo_discard;
	enum map_result result = map_list_lookup(session->server->ehlo_maps,
		span_from_cstr(session->client_address), &words);
	if (result == MAP_FOUND)
		session->ehlo_discard = ehlo_keywords_parse(buf_span(&words));
	else if (result == MAP_ERROR)
		session->ehlo_discard = ~0u;
	buf_done(&words);
}

void session_run(struct server *server, int fd_take, const struct address *peer,
	bool stand_alone)
{
	struct session *session = NEW(struct session);

	session->server = server;
	session->stand_alone = stand_alone;
	session->where = "CONNECT";
	list_append(&server->sessions, &session->node);
	socket_set_nodelay(fd_take); /* not on a UNIX socket */
	session->stream = stream_new(fd_take, INPUT_MAX, OUTPUT_MAX);
	stream_set_write_timeout(session->stream, server->settings.timeout);
	peer_identify(session, peer);
	set_newline(session);
	set_ehlo_discard(session);
	talk(session);
	log_end(session);
	transaction_reset(session);
	list_remove(&session->node);
	counters_disconnect(session);
	log_disconnect(session);
	stream_hang_up(session->stream, task_deadline(GOODBYE_TIMEOUT));
	free(session->helo);
	free(session->access_denied);
	free(session->sasl_method);
	free(session->sasl_username);
	free(session->tls_summary);
	peer_done(session);
	free(session);
}

void session_wake(struct session *session)
{
	/* Reading answers "end of file" from now on; what is written still gets out. */
	if (session->idle)
		(void)shutdown(stream_fd(session->stream), SHUT_RD);
}
