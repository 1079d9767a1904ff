/* Why a delivery attempt failed: enhanced status, text for log and bounce, the remote host and what
 * it said. Class 4 may be tried elsewhere or later, class 5 is final.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_PROBLEM_H
#define TAMBO_SMTP_PROBLEM_H

#include "base/buf.h"
#include "smtp/reply.h"

#define PROBLEM_TEXT_MAX 4096

struct problem {
	char dsn[MAIL_STATUS_LENGTH_MAX + 1];
	struct buf text;       /* one line */
	struct buf remote_mta; /* "" when no host is to blame */
	struct buf diagnostic; /* the reply, "" when there was none */
};

void problem_init(struct problem *problem);
void problem_done(struct problem *problem);
/* Of ours: no host, no reply. */
void problem_set(struct problem *problem, const char *dsn, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A host's: its name and reply go into the report; the status is the reply's. */
void problem_set_reply(struct problem *problem, struct span host, const struct smtp_reply *reply,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
static inline bool problem_is_final(const struct problem *problem)
{
	return problem->dsn[0] == '5';
}
/* 5.x.y becomes 4.x.y. */
void problem_soften(struct problem *problem);

#endif
