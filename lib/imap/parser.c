/* Tokens of IMAP commands. RFC 3501 section 9 (formal syntax).
 * Lenient where clients are: eight-bit bytes in quoted strings, any byte but NUL in literals.
 * SPDX-License-Identifier: ISC */
#include "imap/parser.h"

#include "base/ascii.h"

void imap_parser_init(struct imap_parser *parser, struct span input, struct arena *arena)
{
	*parser = (struct imap_parser){input, arena, NULL};
}

bool imap_parser_fail(struct imap_parser *parser, const char *error)
{
	if (parser->error == NULL)
		parser->error = error;
	return false;
}

bool imap_parser_peek(const struct imap_parser *parser, char c)
{
	return parser->rest.len > 0 && parser->rest.ptr[0] == c;
}

bool imap_parser_accept(struct imap_parser *parser, char c)
{
	if (!imap_parser_peek(parser, c))
		return false;
	parser->rest = span_skip(parser->rest, 1);
	return true;
}

bool imap_parse_char(struct imap_parser *parser, char c)
{
	if (imap_parser_accept(parser, c))
		return true;
	switch (c) {
	case '(':
		return imap_parser_fail(parser, "Expected (");
	case ')':
		return imap_parser_fail(parser, "Expected )");
	}
	return imap_parser_fail(parser, "Unexpected character");
}

bool imap_parse_space(struct imap_parser *parser)
{
	if (imap_parser_accept(parser, ' '))
		return true;
	return imap_parser_fail(
		parser, parser->rest.len == 0 ? "Missing argument" : "Expected a space");
}

bool imap_parse_end(struct imap_parser *parser)
{
	/* Some clients leave a space at the end of the line. */
	while (imap_parser_accept(parser, ' '))
		;
	return parser->rest.len == 0 ? true
				     : imap_parser_fail(parser, "Unexpected extra arguments");
}

bool imap_is_atom_char(char c)
{
	switch (c) {
	case '(':
	case ')':
	case '{':
	case ' ':
	case '%':
	case '*':
	case '"':
	case '\\':
	case ']':
		return false;
	}
	return ascii_is_graph(c);
}

static bool is_astring_char(char c)
{
	return imap_is_atom_char(c) || c == ']';
}

static bool is_list_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

static bool is_tag_char(char c)
{
	return is_astring_char(c) && c != '+';
}

static bool take_while(struct imap_parser *parser, bool (*is_in)(char), struct span *ret_token)
{
	size_t len = 0;
	while (len < parser->rest.len && is_in(parser->rest.ptr[len]))
		len++;
	if (len == 0)
		return false;
	*ret_token = span_head(parser->rest, len);
	parser->rest = span_skip(parser->rest, len);
	return true;
}

bool imap_parser_accept_word(struct imap_parser *parser, const char *word)
{
	struct span text = span_from_cstr(word);
	if (!span_starts_with_nocase(parser->rest, text))
		return false;
	struct span after = span_skip(parser->rest, text.len);
	if (after.len > 0 && imap_is_atom_char(after.ptr[0]))
		return false;
	parser->rest = after;
	return true;
}

bool imap_parse_tag(struct imap_parser *parser, struct span *ret_tag)
{
	return take_while(parser, is_tag_char, ret_tag) && ret_tag->len <= 256
		       ? true
		       : imap_parser_fail(parser, "Invalid tag");
}

bool imap_parse_atom(struct imap_parser *parser, struct span *ret_atom)
{
	return take_while(parser, imap_is_atom_char, ret_atom)
		       ? true
		       : imap_parser_fail(parser, "Expected an atom");
}

static bool unescape(struct imap_parser *parser, struct span quoted, struct span *ret_string)
{
	char *out = arena_alloc(parser->arena, quoted.len);
	if (out == NULL)
		return imap_parser_fail(parser, "Command too long");
	size_t len = 0;
	for (size_t i = 0; i < quoted.len; i++) {
		if (quoted.ptr[i] == '\\')
			i++;
		out[len++] = quoted.ptr[i];
	}
	*ret_string = span_new(out, len);
	return true;
}

/* The opening quote has been taken. */
static bool parse_quoted(struct imap_parser *parser, struct span *ret_string)
{
	bool escaped = false;
	for (size_t i = 0; i < parser->rest.len; i++) {
		char c = parser->rest.ptr[i];
		if (c == '"') {
			struct span inside = span_head(parser->rest, i);
			parser->rest = span_skip(parser->rest, i + 1);
			if (escaped)
				return unescape(parser, inside, ret_string);
			*ret_string = inside;
			return true;
		}
		if (c == '\\') {
			i++;
			if (i >= parser->rest.len ||
				(parser->rest.ptr[i] != '"' && parser->rest.ptr[i] != '\\'))
				return imap_parser_fail(parser, "Invalid escape in quoted string");
			escaped = true;
		} else if (c == '\r' || c == '\n' || c == '\0') {
			break;
		}
	}
	return imap_parser_fail(parser, "Quoted string is not closed");
}

/* The opening brace has been taken: n[+-]}CRLF and n bytes. */
static bool parse_literal(struct imap_parser *parser, struct span *ret_string)
{
	size_t close = span_find_char(parser->rest, '}');
	if (close == SIZE_MAX || close == 0)
		return imap_parser_fail(parser, "Invalid literal");
	struct span number = span_head(parser->rest, close);
	if (number.ptr[number.len - 1] == '+' || number.ptr[number.len - 1] == '-')
		number.len--;
	struct span after = span_skip(parser->rest, close + 1);
	uint64_t size;
	if (!span_to_u64(number, UINT32_MAX, &size) || !span_starts_with(after, SPAN("\r\n")))
		return imap_parser_fail(parser, "Invalid literal");
	after = span_skip(after, 2);
	if (after.len < size)
		return imap_parser_fail(parser, "Invalid literal");
	*ret_string = span_head(after, (size_t)size);
	parser->rest = span_skip(after, (size_t)size);
	if (span_find_char(*ret_string, '\0') != SIZE_MAX)
		return imap_parser_fail(parser, "NUL in literal");
	return true;
}

bool imap_parse_string(struct imap_parser *parser, struct span *ret_string)
{
	if (imap_parser_accept(parser, '"'))
		return parse_quoted(parser, ret_string);
	if (imap_parser_accept(parser, '{'))
		return parse_literal(parser, ret_string);
	return imap_parser_fail(parser, "Expected a string");
}

bool imap_parse_astring(struct imap_parser *parser, struct span *ret_string)
{
	if (imap_parser_peek(parser, '"') || imap_parser_peek(parser, '{'))
		return imap_parse_string(parser, ret_string);
	return take_while(parser, is_astring_char, ret_string)
		       ? true
		       : imap_parser_fail(parser, "Expected an atom or a string");
}

bool imap_parse_nstring(struct imap_parser *parser, struct span *ret_string, bool *ret_is_nil)
{
	*ret_is_nil = imap_parser_accept_word(parser, "NIL");
	if (*ret_is_nil) {
		*ret_string = SPAN_EMPTY;
		return true;
	}
	return imap_parse_string(parser, ret_string);
}

bool imap_parse_list_mailbox(struct imap_parser *parser, struct span *ret_pattern)
{
	if (imap_parser_peek(parser, '"') || imap_parser_peek(parser, '{'))
		return imap_parse_string(parser, ret_pattern);
	return take_while(parser, is_list_char, ret_pattern)
		       ? true
		       : imap_parser_fail(parser, "Expected a mailbox pattern");
}

bool imap_parse_mailbox(struct imap_parser *parser, struct span *ret_mailbox)
{
	if (!imap_parse_astring(parser, ret_mailbox))
		return imap_parser_fail(parser, "Expected a mailbox name");
	if (span_equal_nocase(*ret_mailbox, SPAN("INBOX")))
		*ret_mailbox = SPAN("INBOX");
	return true;
}

static bool is_digit(char c)
{
	return ascii_is_digit(c);
}

static bool parse_up_to(struct imap_parser *parser, uint64_t max, uint64_t *ret_number)
{
	struct span digits;
	if (!take_while(parser, is_digit, &digits))
		return imap_parser_fail(parser, "Expected a number");
	return span_to_u64(digits, max, ret_number)
		       ? true
		       : imap_parser_fail(parser, "Number is too large");
}

bool imap_parse_number(struct imap_parser *parser, uint32_t *ret_number)
{
	uint64_t number;
	if (!parse_up_to(parser, UINT32_MAX, &number))
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

bool imap_parse_nz_number(struct imap_parser *parser, uint32_t *ret_number)
{
	if (!imap_parse_number(parser, ret_number))
		return false;
	return *ret_number != 0 ? true : imap_parser_fail(parser, "Number must not be zero");
}

bool imap_parse_number64(struct imap_parser *parser, uint64_t *ret_number)
{
	return parse_up_to(parser, INT64_MAX, ret_number);
}
