/* See command_line.h.
 * SPDX-License-Identifier: ISC */
#include "local/command_line.h"

#include <stdlib.h>

#include "base/ascii.h"

/* Words that only a shell knows. */
static const char *const builtins[] = {
	"!", "{", ".", ":", "alias", "bg", "break", "case", "cd", "command", "continue", "do", "done",
	"elif", "else", "esac", "eval", "exec", "exit", "export", "fc", "fg", "fi", "for", "function",
	"getopts", "hash", "if", "jobs", "local", "read", "readonly", "return", "select", "set",
	"shift", "source", "then", "times", "trap", "type", "ulimit", "umask", "unalias", "unset",
	"until", "wait", "while",
};

static bool is_plain(struct span command)
{
	for (size_t i = 0; i < command.len; i++)
		if (!ascii_is_alnum(command.ptr[i])
			&& strchr(" \t!@%-_=+:,./", command.ptr[i]) == NULL)
			return false;
	return true;
}

static bool is_builtin(struct span word)
{
	/* name=value before a command is the shell's, too. */
	if (span_find_char(word, '=') != SIZE_MAX)
		return true;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (span_equal(word, span_from_cstr(builtins[i])))
			return true;
	return false;
}

/* Appends the words; false when there are too many. */
static bool add_words(struct span text, struct command_line *line, size_t *count)
{
	struct span word;
	while (span_token(&text, " \t\r\n", &word)) {
		if (*count == COMMAND_WORDS_MAX)
			return false;
		line->words[(*count)++] = span_dup_cstr(word);
	}
	return true;
}

bool command_line_parse(struct span command, struct span shell, struct command_line *ret_line)
{
	size_t count = 0;
	struct span rest = command, first;
	bool good = true;
	*ret_line = (struct command_line){{NULL}};
	if (memchr(command.ptr, 0, command.len) != NULL || !span_token(&rest, " \t\r\n", &first))
		return false;
	if (shell.len > 0) {
		good = add_words(shell, ret_line, &count) && count > 0 && count < COMMAND_WORDS_MAX;
		if (good)
			ret_line->words[count] = span_dup_cstr(command);
	} else if (is_plain(command) && !is_builtin(first)) {
		good = add_words(command, ret_line, &count);
	} else {
		ret_line->words[0] = span_dup_cstr(SPAN("/bin/sh"));
		ret_line->words[1] = span_dup_cstr(SPAN("-c"));
		ret_line->words[2] = span_dup_cstr(command);
	}
	if (!good)
		command_line_done(ret_line);
	return good;
}

void command_line_done(struct command_line *line)
{
	for (size_t i = 0; i <= COMMAND_WORDS_MAX && line->words[i] != NULL; i++) {
		free(line->words[i]);
		line->words[i] = NULL;
	}
}
