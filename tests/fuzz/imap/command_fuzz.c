/* Whatever a client sends: framed, then parsed as every kind of argument.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "imap/command.h"
#include "imap/fetch.h"
#include "imap/frame.h"
#include "imap/search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_one(struct span command, struct arena *arena, unsigned kind)
{
	struct imap_parser parser;
	struct span tag, name;
	struct buf text = BUF_INIT(4096);
	union {
		struct imap_fetch fetch;
		struct imap_search search;
		struct imap_store store;
		struct imap_list list;
		struct imap_select select;
		struct imap_append append;
		struct imap_set set;
		unsigned items;
	} result;
	bool uid;
	imap_parser_init(&parser, command, arena);
	if (!imap_parse_command(&parser, &tag, &name, &uid))
		return;
	struct imap_parser behind = parser;
	if (kind > 3)
		(void)imap_parser_accept(&behind, ' ');
	switch (kind) {
	case 0:
		(void)imap_parse_append(&behind, &result.append);
		break;
	case 1:
		(void)imap_parse_select(&behind, &result.select);
		break;
	case 2:
		(void)imap_parse_list(&behind, &result.list);
		break;
	case 3:
		(void)imap_parse_space(&behind);
		break;
	case 4:
		(void)imap_parse_fetch(&behind, &result.fetch);
		break;
	case 5:
		(void)imap_parse_search(&behind, &result.search);
		break;
	case 6:
		(void)imap_parse_store(&behind, &result.store);
		break;
	case 7:
		(void)imap_parse_status_items(&behind, &result.items);
		break;
	case 8:
		(void)imap_parse_id(&behind, &text);
		break;
	case 9:
		if (imap_parse_set(&behind, &result.set)) {
			imap_set_resolve(&result.set, 1000);
			for (size_t i = 0; i < result.set.count; i++)
				CHECK(imap_set_has(&result.set, result.set.ranges[i].first));
		}
		break;
	}
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_frame frame;
	struct span input = span_new(data, size);
	imap_frame_init(&frame, &imap_frame_before_login);
	while (input.len > 0) {
		size_t used;
		enum imap_frame_result framed = imap_frame_feed(&frame, input, &used);
		input = span_skip(input, used);
		if (framed == IMAP_FRAME_OK) {
			for (unsigned kind = 0; kind < 10; kind++) {
				struct arena arena;
				arena_init(&arena, 1024 * 1024);
				parse_one(buf_span(&frame.bytes), &arena, kind);
				arena_done(&arena);
			}
			imap_frame_reset(&frame);
		} else if (framed == IMAP_FRAME_LITERAL) {
			if (frame.literal_too_big)
				imap_frame_reset(&frame);
			else
				imap_frame_accept_literal(&frame);
		} else if (framed == IMAP_FRAME_TOO_LONG) {
			imap_frame_skip_line(&frame);
			buf_reset(&frame.bytes);
		} else if (framed == IMAP_FRAME_BAD) {
			imap_frame_reset(&frame);
		}
		CHECK(frame.bytes.len <= frame.limits.total_max);
	}
	imap_frame_done(&frame);
	return 0;
}
