/* The text of alias files: entries have a name and a value, each within the text.
 * SPDX-License-Identifier: ISC */
#include "map_fuzz.h"
#include "map/text.h"

static void see_entry(void *arg, struct span key, struct span value, unsigned line)
{
	CHECK(key.len > 0 && value.len > 0 && line > 0);
	++*(size_t *)arg;
}

static void see_warning(void *arg, unsigned line, const char *text)
{
	(void)arg;
	CHECK(line > 0 && text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count = 0;
	struct map_text_visitor visitor = {&count, see_entry, see_warning};

	map_aliases_parse(span_new(data, size), &visitor);
	return 0;
}
