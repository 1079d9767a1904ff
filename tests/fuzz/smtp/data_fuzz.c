/* Any content, in one piece and byte by byte: the same output, the same end, no CR and no NUL left,
 * and never an end that is not CRLF.CRLF.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return 0;
	enum smtp_newline newline = (enum smtp_newline)(bytes[0] % 3);
	bool dots = (bytes[0] & 4) == 0;
	struct span input = span_new(bytes + 1, len - 1);
	struct buf whole = BUF_INIT(1 << 24), pieces = BUF_INIT(1 << 24);
	struct smtp_data one, many;
	size_t used, total = 0;

	smtp_data_init(&one, newline, dots);
	smtp_data_init(&many, newline, dots);
	enum smtp_data_result result = smtp_data_decode(&one, input, &whole, &used);
	enum smtp_data_result again = SMTP_DATA_MORE;
	while (total < input.len && again == SMTP_DATA_MORE) {
		size_t step;
		again = smtp_data_decode(&many, span_part(input, total, 1), &pieces, &step);
		total += step;
	}
	CHECK(result == again && used == total && one.size == many.size);
	CHECK(span_equal(buf_span(&whole), buf_span(&pieces)));
	CHECK(span_find_char(buf_span(&whole), '\r') == SIZE_MAX);
	CHECK(span_find_char(buf_span(&whole), '\0') == SIZE_MAX);
	if (result == SMTP_DATA_END && newline != SMTP_NEWLINE_ALLOW)
		CHECK(used == 3 ? span_starts_with(input, SPAN(".\r\n"))
				: span_ends_with(span_head(input, used), SPAN("\r\n.\r\n")));
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
