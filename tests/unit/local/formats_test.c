/* The pure parts of `local`: lists of destinations, command lines, headers.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/check.h"
#include "local/alias.h"
#include "local/command_line.h"
#include "local/header.h"

static const struct {
	const char *name, *text;
	bool is_file;
	enum alias_result result;
	const char *items; /* kind letter, text, '|' between */
} lists[] = {
	{"one address", "ann", false, ALIAS_OK, "A:ann|"},
	{"several", "ann, ben@example.test ,\tcarl", false, ALIAS_OK,
		"A:ann|A:ben@example.test|A:carl|"},
	{"empty items", ",, ann ,", false, ALIAS_OK, "A:ann|"},
	{"a name and an address", "\"B, C\" <ben@example.test>", false, ALIAS_OK,
		"A:ben@example.test|"},
	{"a comment", "ann (Ann, of course)", false, ALIAS_OK, "A:ann|"},
	{"a direct user", "\\ann", false, ALIAS_OK, "D:ann|"},
	{"a quoted direct user", "\"\\\\ann\"", false, ALIAS_OK, "D:ann|"},
	{"a command", "|/bin/cat", false, ALIAS_OK, "C:/bin/cat|"},
	{"a quoted command with a comma", "\"|cat > /a, b\"", false, ALIAS_OK, "C:cat > /a, b|"},
	{"quotes behind the bar", "|\"vacation ann\"", false, ALIAS_OK, "C:vacation ann|"},
	{"escaped quotes in a command", "\"|echo \\\"x\\\"\"", false, ALIAS_OK, "C:echo \"x\"|"},
	{"a file and a folder", "/var/mail/x, /home/x/Mail/", false, ALIAS_OK,
		"F:/var/mail/x|F:/home/x/Mail/|"},
	{"a list file", ":include:/etc/list, :INCLUDE:\"/etc/a b\"", false, ALIAS_OK,
		"I:/etc/list|I:/etc/a b|"},
	{"a relative list file", ":include:list", false, ALIAS_BAD, ""},
	{"an address that begins with a slash", "/c=de/@x400.test", false, ALIAS_OK,
		"A:/c=de/@x400.test|"},
	{"lines and comments of a file", "# all\nann\n#ben\n carl,dora\n", true, ALIAS_OK,
		"A:ann|A:carl|A:dora|"},
	{"hash in an alias is no comment", "#ann", false, ALIAS_OK, "A:#ann|"},
	{"an unfinished quote", "\"ann", false, ALIAS_BAD, ""},
	{"an empty command", "|", false, ALIAS_BAD, ""},
	{"nothing", "", false, ALIAS_OK, ""},
};

static void destination_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct arena arena;
		struct alias_target *items;
		size_t count = 0;
		char text[1000] = "";
		arena_init(&arena, 1000000);
		enum alias_result result = alias_parse(
			span_from_cstr(lists[i].text), lists[i].is_file, &arena, &items, &count);
		for (size_t k = 0; result == ALIAS_OK && k < count; k++) {
			size_t used = strlen(text);
			(void)snprintf(text + used, sizeof(text) - used, "%c:%.*s|", "ADCFI"[items[k].kind],
				SPAN_ARGS(items[k].text));
		}
		if (result != lists[i].result || strcmp(text, lists[i].items) != 0)
			fail_msg("%s: %d %s", lists[i].name, (int)result, text);
		arena_done(&arena);
	}
}

static void too_long_a_list(void **state)
{
	struct buf text = BUF_INIT(1UL << 20);
	struct arena arena;
	struct alias_target *items;
	size_t count;
	(void)state;
	for (int i = 0; i <= ALIAS_TARGETS_MAX; i++)
		buf_append_cstr(&text, "a,");
	arena_init(&arena, 1UL << 26);
	assert_int_equal(alias_parse(buf_span(&text), false, &arena, &items, &count), ALIAS_TOO_MANY);
	arena_done(&arena);
	buf_done(&text);
}

static const struct {
	const char *name, *command, *shell;
	const char *words; /* '|' behind each; NULL: refused */
} commands[] = {
	{"plain words", "/usr/bin/vacation -a x ann", "", "/usr/bin/vacation|-a|x|ann|"},
	{"a redirection", "cat > /tmp/x", "", "/bin/sh|-c|cat > /tmp/x|"},
	{"a dollar", "echo $HOME", "", "/bin/sh|-c|echo $HOME|"},
	{"a builtin", "exit 75", "", "/bin/sh|-c|exit 75|"},
	{"an assignment", "A=b env", "", "/bin/sh|-c|A=b env|"},
	{"a configured shell", "/bin/true", "/usr/sbin/smrsh -c", "/usr/sbin/smrsh|-c|/bin/true|"},
	{"only spaces", "  ", "", NULL},
};

static void command_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		struct command_line line;
		char text[500] = "";
		bool good = command_line_parse(span_from_cstr(commands[i].command),
			span_from_cstr(commands[i].shell), &line);
		if (good != (commands[i].words != NULL))
			fail_msg("%s", commands[i].name);
		if (!good)
			continue;
		for (size_t k = 0; line.words[k] != NULL; k++) {
			size_t used = strlen(text);
			(void)snprintf(text + used, sizeof(text) - used, "%s|", line.words[k]);
		}
		if (strcmp(text, commands[i].words) != 0)
			fail_msg("%s: %s", commands[i].name, text);
		command_line_done(&line);
	}
}

static void headers(void **state)
{
	struct buf out = BUF_INIT(1000);
	(void)state;
	header_write(true, SPAN(""), SPAN("a b@x"), SPAN("line\nend@x"), &out);
	assert_string_equal(buf_cstr(&out),
		"Return-Path: <>\nX-Original-To: \"a b\"@x\nDelivered-To: \"line?end\"@x\n");
	buf_done(&out);
	struct span header =
		SPAN("Subject: x\nDELIVERED-TO:  Ann@Example.Test \nX: y\n\nDelivered-To: ben@x\n");
	assert_true(header_has_delivered_to(header, SPAN("ann@example.test")));
	assert_false(header_has_delivered_to(header, SPAN("ben@x")));
	assert_false(header_has_delivered_to(SPAN(""), SPAN("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(destination_lists), cmocka_unit_test(too_long_a_list),
		cmocka_unit_test(command_lines), cmocka_unit_test(headers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
