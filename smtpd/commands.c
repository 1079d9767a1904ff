/* The command table. SPDX-License-Identifier: ISC */
#include "smtpd/commands.h"

#include "base/check.h"

static const struct command_row rows[] = {
	{SMTP_HELO, COMMAND_LAST | COMMAND_BEFORE_TLS | COMMAND_JUNK | COMMAND_SMTP, command_helo},
	{SMTP_EHLO, COMMAND_LAST | COMMAND_BEFORE_TLS | COMMAND_JUNK | COMMAND_SMTP, command_ehlo},
	{SMTP_LHLO, COMMAND_LAST | COMMAND_BEFORE_TLS | COMMAND_JUNK | COMMAND_LMTP, command_ehlo},
	{SMTP_STARTTLS, COMMAND_LAST | COMMAND_BEFORE_TLS, command_starttls},
	{SMTP_AUTH, 0, command_auth},
	{SMTP_MAIL, 0, command_mail},
	{SMTP_RCPT, 0, command_rcpt},
	{SMTP_DATA, COMMAND_LAST, command_data},
	{SMTP_BDAT, 0, command_bdat},
	{SMTP_RSET, COMMAND_JUNK, command_rset},
	{SMTP_NOOP, COMMAND_LAST | COMMAND_BEFORE_TLS | COMMAND_JUNK, command_noop},
	{SMTP_VRFY, COMMAND_LAST | COMMAND_JUNK, command_vrfy},
	{SMTP_ETRN, COMMAND_JUNK, command_etrn},
	{SMTP_QUIT, COMMAND_BEFORE_TLS, command_quit},
	{SMTP_HELP, COMMAND_BEFORE_TLS | COMMAND_JUNK, command_help},
};

const struct command_row *command_find(enum smtp_verb verb, bool lmtp)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].verb == verb &&
			(rows[i].flags & (lmtp ? COMMAND_SMTP : COMMAND_LMTP)) == 0)
			return &rows[i];
	return NULL;
}
