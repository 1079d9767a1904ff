/* sendmail -bs: SMTP on standard input and output (RFC 5321), for programs that speak it to a local
 * command. Each message goes through postdrop like any other, so there is nothing to relay here
 * that the user could not submit; no TLS, no AUTH, nothing is looked up.
 * SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "commands/sendmail/drop.h"
#include "commands/sendmail/message.h"
#include "smtp/command.h"

#define RECIPIENTS_MAX 10000
#define TRANSACTION_MAX (32u * 1024 * 1024)
#define ERRORS_MAX 100

struct session {
	struct conf *conf;
	const struct options *options;
	const char *host;
	FILE *in, *out;
	char *line;
	size_t alloc;
	bool greeted, has_sender, quit;
	int errors;
	struct arena arena; /* one transaction's */
	struct smtp_mail mail;
	struct smtp_rcpt *recipients;
	size_t recipient_count;
};

__attribute__((format(printf, 2, 3))) static void reply(
	struct session *session, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(session->out, format, args);
	va_end(args);
	fputs("\r\n", session->out);
	fflush(session->out);
	if (format[0] == '5' && ++session->errors > ERRORS_MAX)
		session->quit = true;
}

static void reset(struct session *session)
{
	arena_reset(&session->arena);
	session->has_sender = false;
	session->recipients = NULL;
	session->recipient_count = 0;
}

/* A line without its end; false at the end of input. */
static bool read_line(struct session *session, struct span *ret_line)
{
	ssize_t n = getline(&session->line, &session->alloc, session->in);
	if (n < 0)
		return false;
	size_t len = (size_t)n;
	while (len > 0 && (session->line[len - 1] == '\n' || session->line[len - 1] == '\r'))
		len--;
	*ret_line = span_new(session->line, len);
	return true;
}

static void command_hello(struct session *session, const struct smtp_command *command)
{
	if (command->arguments.len == 0) {
		reply(session, "501 Syntax: %s hostname", smtp_verb_name(command->verb));
		return;
	}
	reset(session);
	session->greeted = true;
	if (command->verb == SMTP_HELO) {
		reply(session, "250 %s", session->host);
		return;
	}
	fprintf(session->out,
		"250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
		"250-DSN\r\n",
		session->host);
	reply(session, "250 ENHANCEDSTATUSCODES");
}

static void bad_arguments(struct session *session, enum smtp_result result)
{
	if (result == SMTP_RESULT_UNSUPPORTED)
		reply(session, "555 5.5.4 Unsupported option");
	else
		reply(session, "501 5.1.7 Bad address syntax or parameter");
}

static void command_mail(struct session *session, struct span arguments)
{
	if (session->has_sender) {
		reply(session, "503 5.5.1 Error: nested MAIL command");
		return;
	}
	enum smtp_result result = smtp_mail_parse(
		arena_dup(&session->arena, arguments), 0, &session->arena, &session->mail);
	if (result != SMTP_RESULT_OK) {
		bad_arguments(session, result);
		return;
	}
	session->has_sender = true;
	reply(session, "250 2.1.0 Ok");
}

static void command_rcpt(struct session *session, struct span arguments)
{
	struct smtp_rcpt recipient;
	if (!session->has_sender) {
		reply(session, "503 5.5.1 Error: need MAIL command");
		return;
	}
	enum smtp_result result = smtp_rcpt_parse(arena_dup(&session->arena, arguments),
		session->mail.smtputf8 ? SMTP_IN_UTF8 : 0, &session->arena, &recipient);
	if (result != SMTP_RESULT_OK) {
		bad_arguments(session, result);
		return;
	}
	size_t count = session->recipient_count;
	if (count == RECIPIENTS_MAX) {
		reply(session, "452 4.5.3 Error: too many recipients");
		return;
	}
	if ((count & (count - 1)) == 0)
		session->recipients = arena_grow(&session->arena, session->recipients, count,
			count == 0 ? 1 : count * 2, sizeof *session->recipients);
	if (session->arena.overflow) {
		reply(session, "452 4.3.1 Error: out of memory");
		reset(session);
		return;
	}
	session->recipients[session->recipient_count++] = recipient;
	reply(session, "250 2.1.5 Ok");
}

/* False: the input ended before the dot. */
static bool read_content(struct session *session, struct drop *drop)
{
	struct span line;
	while (read_line(session, &line)) {
		if (line.len > 0 && line.ptr[0] == '.') {
			line = span_skip(line, 1);
			if (line.len == 0)
				return true;
		}
		drop_content(drop, line);
		drop_content(drop, SPAN("\n"));
	}
	return false;
}

static void command_data(struct session *session)
{
	struct drop drop;
	if (session->recipient_count == 0) {
		reply(session, session->has_sender ? "554 5.5.1 Error: no valid recipients"
						   : "503 5.5.1 Error: need RCPT command");
		return;
	}
	reply(session, "354 End data with <CR><LF>.<CR><LF>");
	drop_start(&drop, session->conf, session->options);
	struct drop_envelope envelope = {.sender = session->mail.sender.full,
		.full_name = SPAN_EMPTY,
		.envid = session->mail.envid,
		.dsn_return = (uint8_t)session->mail.ret,
		.eight_bit = session->mail.body == SMTP_BODY_8BITMIME,
		.smtputf8 = session->mail.smtputf8};
	drop_envelope(&drop, &envelope);
	for (size_t i = 0; i < session->recipient_count; i++)
		drop_recipient(&drop, session->recipients[i].recipient.full,
			session->recipients[i].orcpt, session->recipients[i].notify);
	bool complete = read_content(session, &drop);
	int status = drop_finish(&drop, complete);
	reset(session);
	if (!complete)
		session->quit = true;
	else if (status == EX_OK)
		reply(session, "250 2.0.0 Ok: queued as %s", drop.name);
	else if (status == EX_UNAVAILABLE)
		reply(session, "552 5.3.4 Error: message file too big");
	else if (status == EX_NOPERM)
		reply(session, "550 5.7.1 Error: not allowed to submit mail");
	else
		reply(session, "451 4.3.0 Error: queue file write error");
}

static void run_command(struct session *session, const struct smtp_command *command)
{
	switch (command->verb) {
	case SMTP_HELO:
	case SMTP_EHLO:
		command_hello(session, command);
		break;
	case SMTP_MAIL:
		command_mail(session, command->arguments);
		break;
	case SMTP_RCPT:
		command_rcpt(session, command->arguments);
		break;
	case SMTP_DATA:
		command_data(session);
		break;
	case SMTP_RSET:
		reset(session);
		reply(session, "250 2.0.0 Ok");
		break;
	case SMTP_NOOP:
		reply(session, "250 2.0.0 Ok");
		break;
	case SMTP_VRFY:
		reply(session, "252 2.0.0 %.*s", SPAN_ARGS(span_head(command->arguments, 200)));
		break;
	case SMTP_QUIT:
		reply(session, "221 2.0.0 Bye");
		session->quit = true;
		break;
	case SMTP_HELP:
		reply(session, "214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY QUIT");
		break;
	case SMTP_UNKNOWN:
	case SMTP_EMPTY:
	case SMTP_LHLO:
	case SMTP_STARTTLS:
	case SMTP_AUTH:
	case SMTP_BDAT:
	case SMTP_ETRN:
	case SMTP_VERB_COUNT:
		reply(session, "502 5.5.2 Error: command not recognized");
		break;
	}
}

void smtp_stand_alone(struct conf *conf, const struct options *options)
{
	struct session session = {.conf = conf,
		.options = options,
		.host = conf_get(conf, "myhostname"),
		.in = stdin,
		.out = stdout};
	struct span line;
	arena_init(&session.arena, TRANSACTION_MAX);
	reply(&session, "220 %s ESMTP %s", session.host, conf_get(conf, "mail_name"));
	while (!session.quit && read_line(&session, &line)) {
		struct smtp_command command;
		smtp_command_parse(line, &command);
		run_command(&session, &command);
	}
	arena_done(&session.arena);
	free(session.line);
}
