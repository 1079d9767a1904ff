/* Any content through the header filter, in one piece and in pieces of 3 bytes: the same comes out.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "cleanup/header.h"
#include "cleanup/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static void set_up(void)
{
	struct span text = SPAN("myhostname = mx.example.test\nmydomain = example.test\n"
				"myorigin = example.test\nappend_dot_mydomain = yes\nalias_maps =\n"
				"local_recipient_maps =\nheader_size_limit = 1000\n");
	char *problem = NULL;
	log_set_sink(silence);
	struct conf *conf = conf_parse("/nowhere", "cleanup", text, &problem);
	CHECK(conf != NULL && settings_load(conf) == 0);
	process.route = route_open(conf, &problem);
	CHECK(process.route != NULL);
}

static void filter(struct span input, size_t step, bool local, struct content *content)
{
	struct header_filter header;
	content_init(content, "0123ABC", 0);
	header_filter_init(&header, content, "0123ABC");
	header.complete = header.add_missing = local;
	header.arrival_ms = 1700000000000;
	while (input.len > 0) {
		header_filter_write(&header, span_head(input, step));
		input = span_skip(input, step);
	}
	header_filter_end(&header);
	header_filter_done(&header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct content whole, pieces;
	if (process.route == NULL)
		set_up();
	if (size < 1 || size > 100000)
		return 0;
	struct span input = span_new(data + 1, size - 1);
	bool local = (data[0] & 1) != 0;
	filter(input, size, local, &whole);
	filter(input, 3, local, &pieces);
	CHECK(whole.error == 0 && pieces.error == 0);
	CHECK(span_equal(buf_span(&whole.bytes), buf_span(&pieces.bytes)));
	content_done(&whole);
	content_done(&pieces);
	return 0;
}
