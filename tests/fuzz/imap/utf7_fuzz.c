/* Modified UTF-7: what decodes is UTF-8 and encodes to the same bytes again.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "imap/list_pattern.h"
#include "imap/utf7.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_new(data, size);
	struct buf utf8 = BUF_INIT(1 << 20), again = BUF_INIT(1 << 20);
	if (imap_utf7_decode(input, &utf8)) {
		CHECK(span_is_utf8(buf_span(&utf8)));
		CHECK(imap_utf7_encode(buf_span(&utf8), &again));
		CHECK(span_equal(buf_span(&again), input));
	}
	buf_reset(&again);
	(void)imap_utf7_encode(input, &again);
	size_t half = size / 2;
	(void)imap_list_match(span_head(input, half), span_skip(input, half), '/');
	buf_done(&utf8);
	buf_done(&again);
	return 0;
}
