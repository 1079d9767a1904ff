/* Whatever a message holds, its response ends with the only line that is a lone dot, and does not
 * depend on how the message came in pieces.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "pop3/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(struct span message, size_t piece, uint64_t lines, struct buf *out)
{
	struct pop3_encoder encoder;
	pop3_encode_begin(&encoder, lines);
	while (message.len > 0 && pop3_encode(&encoder, span_head(message, piece), out))
		message = span_skip(message, piece);
	pop3_encode_end(&encoder, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct buf whole = BUF_INIT(1 << 20), pieces = BUF_INIT(1 << 20);
	uint64_t lines = data[0] == 255 ? POP3_ALL_LINES : data[0];
	struct span message = span_new(data + 2, size - 2);
	encode(message, SIZE_MAX, lines, &whole);
	encode(message, (size_t)data[1] + 1, lines, &pieces);
	CHECK(span_equal(buf_span(&whole), buf_span(&pieces)));
	size_t end = span_find(buf_span(&whole), SPAN("\r\n.\r\n"));
	CHECK(end != SIZE_MAX && end + 5 == whole.len);
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
