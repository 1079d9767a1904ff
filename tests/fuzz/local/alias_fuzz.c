/* Lists of destinations, and command lines.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "local/alias.h"
#include "local/command_line.h"
#include "local/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(struct span text, bool is_file)
{
	struct arena arena;
	struct alias_target *items;
	size_t count;
	arena_init(&arena, 1UL << 24);
	if (alias_parse(text, is_file, &arena, &items, &count) == ALIAS_OK)
		for (size_t i = 0; i < count; i++) {
			CHECK(items[i].text.len > 0);
			if (items[i].kind == ALIAS_FILE || items[i].kind == ALIAS_INCLUDE)
				CHECK(items[i].text.ptr[0] == '/');
			if (items[i].kind == ALIAS_ADDRESS)
				CHECK(span_is_printable(items[i].text));
		}
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_new(data, size);
	struct command_line line;
	check_list(text, false);
	check_list(text, true);
	if (command_line_parse(text, SPAN_EMPTY, &line)) {
		CHECK(line.words[0] != NULL);
		command_line_done(&line);
	}
	(void)header_has_delivered_to(text, SPAN("ann@example.test"));
	struct buf out = BUF_INIT(20000);
	header_write(true, text, text, text, &out);
	size_t lines = 0;
	for (size_t i = 0; i < out.len; i++)
		lines += out.ptr[i] == '\n';
	CHECK(out.overflow || lines <= 3);
	buf_done(&out);
	return 0;
}
