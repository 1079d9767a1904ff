/* The commands: one table {verb, flags, function}, one file for each command or small group. What a
 * command needs to have come before is checked in its function, since each has a reply of its own.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_COMMANDS_H
#define SMTPD_COMMANDS_H

#include "smtpd/session.h"

enum command_result {
	COMMAND_DONE,
	COMMAND_FAILED, /* counts as an error */
};

enum command_flag {
	COMMAND_LAST = 1,       /* the client has to wait for the reply (RFC 2920 section 3.1) */
	COMMAND_BEFORE_TLS = 2, /* allowed before STARTTLS where that is required */
	COMMAND_JUNK = 4,       /* too many of these are errors */
	COMMAND_SMTP = 8,       /* not in LMTP */
	COMMAND_LMTP = 16,      /* only in LMTP */
};

struct command_row {
	enum smtp_verb verb;
	unsigned flags;
	enum command_result (*run)(struct session *session, const struct smtp_command *command);
};

/* NULL: not a command here. */
const struct command_row *command_find(enum smtp_verb verb, bool lmtp);

enum command_result command_helo(struct session *session,
	const struct smtp_command *command);
enum command_result command_ehlo(struct session *session,
	const struct smtp_command *command);
enum command_result command_mail(struct session *session,
	const struct smtp_command *command);
enum command_result command_rcpt(struct session *session,
	const struct smtp_command *command);
enum command_result command_data(struct session *session,
	const struct smtp_command *command);
enum command_result command_bdat(struct session *session,
	const struct smtp_command *command);
enum command_result command_auth(struct session *session,
	const struct smtp_command *command);
enum command_result command_starttls(struct session *session,
	const struct smtp_command *command);
enum command_result command_rset(struct session *session,
	const struct smtp_command *command);
enum command_result command_noop(struct session *session,
	const struct smtp_command *command);
enum command_result command_vrfy(struct session *session,
	const struct smtp_command *command);
enum command_result command_etrn(struct session *session,
	const struct smtp_command *command);
enum command_result command_help(struct session *session,
	const struct smtp_command *command);
enum command_result command_quit(struct session *session,
	const struct smtp_command *command);

/* The TLS handshake (STARTTLS, or smtpd_tls_wrappermode before the greeting). False: the
 * conversation is over. */
bool command_tls_begin(struct session *session);
/* The mechanisms that auth offers this session, "" when there are none; valid until
 * the next call. */
struct span command_auth_mechanisms(struct session *session);
/* Replies to a failed parse of MAIL or RCPT; bad_address is the reply for a bad address. */
enum command_result command_reply_parse_error(struct session *session, enum smtp_result result,
	struct span bad_parameter, const char *bad_address, const struct smtp_command *command);
/* Appends the address, completed: "user" gets @myorigin, and with append_dot_mydomain "user@host"
 * gets .mydomain. */
void command_complete_address(const struct session *session, struct mail_address address,
	struct buf *out);

#endif
