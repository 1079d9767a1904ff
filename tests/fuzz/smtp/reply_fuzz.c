/* What a server says, and content on its way out: every line the client sends as content is whole,
 * within the limit, and none is a lone dot but the last.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "smtp/content.h"
#include "smtp/extension.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_LIMIT 100

static void check_reply(struct span text)
{
	struct smtp_reply reply;
	struct smtp_offer offer;
	enum smtp_reply_result result = SMTP_REPLY_MORE;
	smtp_reply_init(&reply);
	smtp_offer_init(&offer);
	while (text.ptr != NULL && result != SMTP_REPLY_BAD) {
		struct span line = span_split(&text, '\n'), words;
		unsigned code;
		bool more;
		result = smtp_reply_add(&reply, line);
		if (smtp_reply_line(line, &code, &more, &words)) {
			CHECK(code >= 200 && code < 600);
			smtp_offer_add(&offer, words, reply.lines == 1);
		}
		CHECK(span_is_printable(buf_span(&reply.text)) && !reply.text.overflow);
		if (result == SMTP_REPLY_DONE)
			smtp_reply_reset(&reply);
	}
	CHECK(!offer.mechanisms.overflow);
	smtp_reply_done(&reply);
	smtp_offer_done(&offer);
}

static void check_content(struct span text)
{
	struct buf out = BUF_INIT(text.len * 3 + 16);
	struct smtp_content content;
	smtp_content_init(&content, LINE_LIMIT);
	smtp_content_encode(&content, span_head(text, text.len / 2), &out);
	smtp_content_encode(&content, span_skip(text, text.len / 2), &out);
	smtp_content_end(&content, &out);
	CHECK(!out.overflow);
	struct span rest = buf_span(&out);
	while (rest.len > 0) {
		struct span line = span_split(&rest, '\n');
		CHECK(line.len > 0 && line.ptr[line.len - 1] == '\r');
		CHECK(memchr(line.ptr, '\r', line.len - 1) == NULL);
		CHECK(line.len <= LINE_LIMIT + 2);
		CHECK(!span_equal(line, SPAN(".\r")) || rest.len == 0);
	}
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_reply(span_new(data, size));
	check_content(span_new(data, size));
	return 0;
}
