/* Tokens of IMAP commands (RFC 3501 section 9): a cursor over one framed command. Every function
 * answers false when the input does not fit, and says in parser->error what was expected. Strings
 * point into the input, or into the arena when they had to be unescaped.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_PARSER_H
#define TAMBO_IMAP_PARSER_H

#include "base/arena.h"
#include "base/span.h"

struct imap_parser {
	struct span rest;
	struct arena *arena;
	const char *error; /* a literal, for the BAD reply; NULL while nothing went wrong */
};

void imap_parser_init(struct imap_parser *parser, struct span input, struct arena *arena);
/* Sets the error, answers false: `return imap_parser_fail(parser, "...")`. */
bool imap_parser_fail(struct imap_parser *parser, const char *error);

bool imap_parse_char(struct imap_parser *parser, char c);
/* As imap_parse_char, without an error: true when c stood there and was taken. */
bool imap_parser_accept(struct imap_parser *parser, char c);
bool imap_parser_peek(const struct imap_parser *parser, char c);
bool imap_parse_space(struct imap_parser *parser);
bool imap_parse_end(struct imap_parser *parser);
/* True, and taken, when the next atom is this word in any case; otherwise nothing changes. */
bool imap_parser_accept_word(struct imap_parser *parser, const char *word);

bool imap_parse_tag(struct imap_parser *parser, struct span *ret_tag);
bool imap_parse_atom(struct imap_parser *parser, struct span *ret_atom);
bool imap_parse_string(struct imap_parser *parser, struct span *ret_string);
bool imap_parse_astring(struct imap_parser *parser, struct span *ret_string);
/* NIL gives *ret_is_nil. */
bool imap_parse_nstring(struct imap_parser *parser, struct span *ret_string, bool *ret_is_nil);
/* An astring that may hold the wildcards % and * (list-mailbox). */
bool imap_parse_list_mailbox(struct imap_parser *parser, struct span *ret_pattern);
/* An astring; any case of INBOX gives "INBOX". Still in modified UTF-7. */
bool imap_parse_mailbox(struct imap_parser *parser, struct span *ret_mailbox);

bool imap_parse_number(struct imap_parser *parser, uint32_t *ret_number);
bool imap_parse_nz_number(struct imap_parser *parser, uint32_t *ret_number);
/* Up to 2^63-1 (RFC 7162: mod-sequence-value). */
bool imap_parse_number64(struct imap_parser *parser, uint64_t *ret_number);

bool imap_is_atom_char(char c);

#endif
