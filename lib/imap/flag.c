/* Message flags: lists in commands, text in responses. RFC 3501 2.3.2 and section 9 (flag).
 * SPDX-License-Identifier: ISC */
#include "imap/flag.h"

#include "base/check.h"

static const struct {
	enum imap_flag bit;
	struct span name;
} FLAGS[] = {
	{IMAP_FLAG_ANSWERED, {"\\Answered", 9}},
	{IMAP_FLAG_FLAGGED, {"\\Flagged", 8}},
	{IMAP_FLAG_DELETED, {"\\Deleted", 8}},
	{IMAP_FLAG_SEEN, {"\\Seen", 5}},
	{IMAP_FLAG_DRAFT, {"\\Draft", 6}},
	{IMAP_FLAG_RECENT, {"\\Recent", 7}},
};

void imap_flag_write(unsigned system, struct buf *out)
{
	bool first = true;
	for (size_t i = 0; i < ARRAY_LEN(FLAGS); i++) {
		if ((system & FLAGS[i].bit) == 0)
			continue;
		if (!first)
			buf_append_char(out, ' ');
		buf_append(out, FLAGS[i].name);
		first = false;
	}
}

/* An atom that may stand as a keyword: bounded, no backslash. */
static bool imap_keyword_is_valid(struct span keyword)
{
	if (keyword.len == 0 || keyword.len > IMAP_KEYWORD_LENGTH_MAX)
		return false;
	for (size_t i = 0; i < keyword.len; i++)
		if (!imap_is_atom_char(keyword.ptr[i]))
			return false;
	return true;
}

static bool add_keyword(struct imap_parser *parser, struct span keyword, struct imap_flags *flags)
{
	if (!imap_keyword_is_valid(keyword))
		return imap_parser_fail(parser, "Keyword is too long");
	for (size_t i = 0; i < flags->keyword_count; i++)
		if (span_equal_nocase(flags->keywords[i], keyword))
			return true;
	if (flags->keyword_count >= IMAP_KEYWORDS_MAX)
		return imap_parser_fail(parser, "Too many keywords");
	struct span *grown = arena_grow(parser->arena, flags->keywords, flags->keyword_count,
		flags->keyword_count + 1, sizeof(*grown));
	if (grown == NULL)
		return imap_parser_fail(parser, "Command too long");
	grown[flags->keyword_count++] = keyword;
	flags->keywords = grown;
	return true;
}

static bool parse_flag(struct imap_parser *parser, struct imap_flags *flags)
{
	bool backslash = imap_parser_accept(parser, '\\');
	struct span atom;
	if (!imap_parse_atom(parser, &atom))
		return imap_parser_fail(parser, "Expected a flag");
	if (!backslash)
		return add_keyword(parser, atom, flags);
	for (size_t i = 0; i < ARRAY_LEN(FLAGS); i++) {
		if (!span_equal_nocase(span_skip(FLAGS[i].name, 1), atom))
			continue;
		if (FLAGS[i].bit == IMAP_FLAG_RECENT)
			return imap_parser_fail(parser, "\\Recent cannot be changed by a client");
		flags->system |= FLAGS[i].bit;
		return true;
	}
	return imap_parser_fail(parser, "Unknown system flag");
}

bool imap_parse_flag_list(struct imap_parser *parser, struct imap_flags *ret_flags)
{
	*ret_flags = (struct imap_flags){0};
	if (!imap_parse_char(parser, '('))
		return false;
	while (imap_parser_accept(parser, ' '))
		;
	while (!imap_parser_accept(parser, ')')) {
		if (!parse_flag(parser, ret_flags))
			return false;
		while (imap_parser_accept(parser, ' '))
			;
	}
	return true;
}

bool imap_parse_store_flags(struct imap_parser *parser, struct imap_flags *ret_flags)
{
	if (imap_parser_peek(parser, '('))
		return imap_parse_flag_list(parser, ret_flags);
	*ret_flags = (struct imap_flags){0};
	do {
		if (!parse_flag(parser, ret_flags))
			return false;
	} while (imap_parser_accept(parser, ' '));
	return true;
}
