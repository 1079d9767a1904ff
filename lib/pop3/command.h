/* POP3 command lines (RFC 1939 section 3; RFC 2449; RFC 5034; RFC 6856). Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3_COMMAND_H
#define TAMBO_POP3_COMMAND_H

#include "base/span.h"

#define POP3_LINE_MAX 255          /* RFC 2449 section 4, with CRLF */
#define POP3_AUTH_LINE_MAX 16384   /* a SASL response */

enum pop3_verb {
	POP3_UNKNOWN,
	POP3_APOP,
	POP3_AUTH,
	POP3_CAPA,
	POP3_DELE,
	POP3_LIST,
	POP3_NOOP,
	POP3_PASS,
	POP3_QUIT,
	POP3_RETR,
	POP3_RSET,
	POP3_STAT,
	POP3_STLS,
	POP3_TOP,
	POP3_UIDL,
	POP3_USER,
	POP3_UTF8,
};

struct pop3_command {
	enum pop3_verb verb;
	struct span argument; /* behind the first space, as it stands; "" when there is none */
};

/* line: with or without its CRLF or LF. Trailing spaces of a command without argument are ignored
 * (some clients send "AUTH "); those of PASS belong to the password. False when the line holds a
 * NUL. */
bool pop3_command_parse(struct span line, struct pop3_command *ret_command);

/* "2" or "2 10": a message number (1 to UINT32_MAX) and, for TOP, a count of lines. */
bool pop3_parse_number(struct span argument, uint32_t *ret_number);
bool pop3_parse_top(struct span argument, uint32_t *ret_number, uint32_t *ret_lines);

#endif
