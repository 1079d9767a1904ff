/* See problem.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/problem.h"

#include <stdio.h>

#include "base/ascii.h"

void problem_init(struct problem *problem)
{
	*problem = (struct problem){.text = BUF_INIT(PROBLEM_TEXT_MAX),
		.remote_mta = BUF_INIT(256), .diagnostic = BUF_INIT(PROBLEM_TEXT_MAX)};
}

void problem_done(struct problem *problem)
{
	buf_done(&problem->text);
	buf_done(&problem->remote_mta);
	buf_done(&problem->diagnostic);
}

/* A text longer than the cap is cut, not lost. */
__attribute__((format(printf, 2, 0))) static void set_text(struct problem *problem,
	const char *format, va_list args)
{
	char text[PROBLEM_TEXT_MAX];
	vsnprintf(text, sizeof text, format, args);
	buf_reset(&problem->text);
	buf_reset(&problem->remote_mta);
	buf_reset(&problem->diagnostic);
	for (const char *c = text; *c != '\0'; c++)
		buf_append_char(&problem->text, ascii_is_control(*c) ? ' ' : *c);
}

void problem_set(struct problem *problem, const char *dsn, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_text(problem, format, args);
	va_end(args);
	snprintf(problem->dsn, sizeof problem->dsn, "%s", dsn);
}

void problem_set_reply(struct problem *problem, struct span host, const struct smtp_reply *reply,
	const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_text(problem, format, args);
	va_end(args);
	struct buf dsn = BUF_INIT(MAIL_STATUS_LENGTH_MAX);
	/* 2xx and 3xx where they are no answer: nothing is known, so try again. */
	bool odd = smtp_reply_class(reply) < 4;
	mail_status_format(odd ? (struct mail_status){4, 5, 0} : reply->status, &dsn);
	snprintf(problem->dsn, sizeof problem->dsn, "%s", buf_cstr(&dsn));
	buf_done(&dsn);
	buf_append(&problem->remote_mta, span_head(host, 255));
	buf_append(&problem->diagnostic, span_head(buf_span(&reply->text), PROBLEM_TEXT_MAX));
}

void problem_soften(struct problem *problem)
{
	if (problem->dsn[0] == '5')
		problem->dsn[0] = '4';
}
