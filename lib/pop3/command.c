/* See command.h.
 * SPDX-License-Identifier: ISC */
#include "pop3/command.h"

#include "base/check.h"

static const struct {
	struct span name;
	enum pop3_verb verb;
} verbs[] = {
	{SPAN("APOP"), POP3_APOP}, {SPAN("AUTH"), POP3_AUTH}, {SPAN("CAPA"), POP3_CAPA},
	{SPAN("DELE"), POP3_DELE}, {SPAN("LIST"), POP3_LIST}, {SPAN("NOOP"), POP3_NOOP},
	{SPAN("PASS"), POP3_PASS}, {SPAN("QUIT"), POP3_QUIT}, {SPAN("RETR"), POP3_RETR},
	{SPAN("RSET"), POP3_RSET}, {SPAN("STAT"), POP3_STAT}, {SPAN("STLS"), POP3_STLS},
	{SPAN("TOP"), POP3_TOP}, {SPAN("UIDL"), POP3_UIDL}, {SPAN("USER"), POP3_USER},
	{SPAN("UTF8"), POP3_UTF8},
};

static struct span trim_end(struct span text)
{
	while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
		text.len--;
	return text;
}

bool pop3_command_parse(struct span line, struct pop3_command *ret_command)
{
	if (span_ends_with(line, SPAN("\n")))
		line.len--;
	if (span_ends_with(line, SPAN("\r")))
		line.len--;
	if (span_find_char(line, '\0') != SIZE_MAX)
		return false;
	size_t space = span_find_char(line, ' ');
	struct span name = span_head(line, space);
	struct pop3_command command = {.verb = POP3_UNKNOWN,
		.argument = space == SIZE_MAX ? SPAN_EMPTY : span_skip(line, space + 1)};
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (span_equal_nocase(name, verbs[i].name))
			command.verb = verbs[i].verb;
	if (command.verb != POP3_PASS)
		command.argument = trim_end(command.argument);
	*ret_command = command;
	return true;
}

bool pop3_parse_number(struct span argument, uint32_t *ret_number)
{
	uint64_t number;
	if (!span_to_u64(argument, UINT32_MAX, &number) || number == 0)
		return false;
	*ret_number = (uint32_t)number;
	return true;
}

bool pop3_parse_top(struct span argument, uint32_t *ret_number, uint32_t *ret_lines)
{
	struct span rest = argument, first, second;
	uint64_t lines;
	uint32_t number;
	if (!span_token(&rest, " ", &first) || !span_token(&rest, " ", &second) ||
		!span_is_empty(span_trim(rest)) || !pop3_parse_number(first, &number) ||
		!span_to_u64(second, UINT32_MAX, &lines))
		return false;
	*ret_number = number;
	*ret_lines = (uint32_t)lines;
	return true;
}
