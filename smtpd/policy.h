/* May this client do this? The smtpd_*_restrictions lists, evaluated as Postfix's
 * SMTPD_ACCESS_README says: each list by itself, the first permit or reject ends it, its end is a
 * permit; refusals that a temporary error may have prevented become a deferral. What a restriction
 * is stands in one table (policy_table.c): a row is a name, what argument it takes, and a
 * function.
 *
 * INVARIANT: what cannot be understood or asked never permits. An unknown restriction, a table
 * that fails, an access table's unknown action: 4xx.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_POLICY_H
#define SMTPD_POLICY_H

#include "smtpd/session.h"

enum policy_result {
	POLICY_DUNNO,
	POLICY_OK,
	POLICY_REJECT, /* verdict.reply is set */
};

struct policy_verdict {
	struct buf reply;
};
void policy_verdict_init(struct policy_verdict *verdict);
void policy_verdict_done(struct policy_verdict *verdict);

/* Parses the lists and opens their tables, before the sandbox closes. 0; -EINVAL (logged) when a
 * list cannot work at all, or when nothing in the relay and recipient lists keeps strangers from
 * relaying. */
int policy_open(struct server *server, struct policy **ret_policy);
void policy_close(struct policy *policy);

/* The decisions, each logged when it is a refusal. policy_check_rcpt does the delayed client, HELO
 * and sender checks too (smtpd_delay_reject). HOLD, DISCARD and PREPEND of access tables are put
 * into the session's transaction. */
enum policy_result policy_check_client(struct session *session, struct policy_verdict *verdict);
enum policy_result policy_check_helo(struct session *session, struct policy_verdict *verdict);
enum policy_result policy_check_mail(struct session *session, struct policy_verdict *verdict);
enum policy_result policy_check_rcpt(struct session *session, const struct recipient *recipient,
	struct policy_verdict *verdict);
enum policy_result policy_check_data(struct session *session, struct policy_verdict *verdict);
enum policy_result policy_check_end_of_data(struct session *session,
	struct policy_verdict *verdict);

/* Is the client one of local_header_rewrite_clients? */
bool policy_rewrites_headers(struct session *session);

#endif
