/* Text of any charset: the first line names it, the rest is the text. What comes out is UTF-8, for
 * a text in one piece and for one cut anywhere; folding keeps it so.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "mail/charset.h"
#include "mail/fold.h"

#define TEXT_MAX (1UL << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pieces(struct span name, struct span text)
{
	struct charset_decoder *decoder = charset_decoder_new(name);
	struct buf out = BUF_INIT(TEXT_MAX);
	size_t cut = text.len / 3;
	if (decoder == NULL)
		return;
	charset_decode(decoder, span_head(text, cut), false, &out);
	charset_decode(decoder, span_skip(text, cut), true, &out);
	CHECK(out.overflow || span_is_utf8(buf_span(&out)));
	charset_decoder_free(decoder);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_new(data, size);
	struct span name = span_split(&text, '\n');
	struct buf out = BUF_INIT(TEXT_MAX), folded = BUF_INIT(4 * TEXT_MAX);
	if (text.ptr == NULL)
		return 0;
	if (charset_to_utf8(name, text, &out))
		CHECK(out.overflow || span_is_utf8(buf_span(&out)));
	else
		CHECK(out.len == 0);
	utf8_fold(text, &folded);
	CHECK(folded.overflow || span_is_utf8(buf_span(&folded)));
	check_pieces(name, text);
	buf_done(&out);
	buf_done(&folded);
	return 0;
}
