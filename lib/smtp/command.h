/* The server's side of SMTP's grammar (RFC 5321 section 4.1.1, RFC 3461, RFC 1870, RFC 6152,
 * RFC 6531, RFC 4954): a command line becomes a verb and its arguments, MAIL and RCPT become an
 * address and their parameters. Pure; what is allowed when is the session's matter.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_COMMAND_H
#define TAMBO_SMTP_COMMAND_H

#include "mail/address.h"

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_EMPTY, /* nothing but white space */
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_LHLO,
	SMTP_STARTTLS,
	SMTP_AUTH,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_VRFY,
	SMTP_ETRN,
	SMTP_QUIT,
	SMTP_HELP,
	SMTP_VERB_COUNT
};

struct smtp_command {
	enum smtp_verb verb;
	struct span name;      /* as typed */
	struct span arguments; /* trimmed */
};

/* line: without its line end. Never fails. White space before the verb is skipped. */
void smtp_command_parse(struct span line, struct smtp_command *ret_command);
/* "MAIL", "UNKNOWN" ...: for the log. */
const char *smtp_verb_name(enum smtp_verb verb);
/* True when the word is the beginning of a header field ("Subject:"): a browser or a relay that
 * talks through an earlier refusal. */
bool smtp_name_is_header(struct span name);

enum smtp_command_flag {
	SMTP_STRICT = 1,      /* strict_rfc821_envelopes: <> are needed, no address without domain */
	SMTP_NO_DSN = 2,      /* RET, ENVID, NOTIFY, ORCPT are refused */
	SMTP_NO_UTF8 = 4,     /* SMTPUTF8 is not supported */
	SMTP_ANY_UTF8 = 8,    /* MAIL: UTF-8 is accepted without SMTPUTF8 too */
	SMTP_IN_UTF8 = 16,    /* RCPT: UTF-8 is accepted */
};

enum smtp_result {
	SMTP_RESULT_OK,
	SMTP_RESULT_SYNTAX,       /* no "FROM:" or "TO:" */
	SMTP_RESULT_ADDRESS,      /* the address is no address */
	SMTP_RESULT_NOT_UTF8,     /* bytes above 127 without SMTPUTF8 */
	SMTP_RESULT_BAD_SIZE,
	SMTP_RESULT_SIZE_OVERFLOW,
	SMTP_RESULT_BAD_RET,
	SMTP_RESULT_BAD_ENVID,
	SMTP_RESULT_BAD_NOTIFY,
	SMTP_RESULT_BAD_ORCPT,
	SMTP_RESULT_DSN_DISABLED,
	SMTP_RESULT_AUTH_TWICE,
	SMTP_RESULT_UNSUPPORTED,  /* bad_parameter says which */
};

enum smtp_body { SMTP_BODY_UNSAID, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };
enum smtp_ret { SMTP_RET_UNSAID, SMTP_RET_FULL, SMTP_RET_HEADERS };

struct smtp_mail {
	struct mail_address sender; /* "" for <> */
	enum smtp_body body;
	enum smtp_ret ret;
	bool has_size;
	uint64_t size;
	bool smtputf8;
	struct span envid;     /* decoded */
	struct span auth;      /* AUTH= decoded, "" for none and for <> */
	struct span bad_parameter;
};

#define SMTP_NOTIFY_NEVER 1u
#define SMTP_NOTIFY_SUCCESS 2u
#define SMTP_NOTIFY_FAILURE 4u
#define SMTP_NOTIFY_DELAY 8u

struct smtp_rcpt {
	struct mail_address recipient;
	uint32_t notify;       /* SMTP_NOTIFY_..., 0 when not said */
	struct span orcpt;     /* "type;decoded", "" for none */
	struct span bad_parameter;
};

/* arguments: of smtp_command. flags: enum smtp_command_flag. Results live in the arena or point
 * into arguments. ret is written only for OK; ret->bad_parameter for UNSUPPORTED. */
enum smtp_result smtp_mail_parse(struct span arguments, unsigned flags, struct arena *arena,
	struct smtp_mail *ret);
enum smtp_result smtp_rcpt_parse(struct span arguments, unsigned flags, struct arena *arena,
	struct smtp_rcpt *ret);

#endif
