/* Case folding by ICU's simple mapping, one character at a time. Linear.
 * SPDX-License-Identifier: ISC */
#include "mail/fold.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/ascii.h"

static void append_character(UChar32 c, struct buf *out)
{
	uint8_t bytes[U8_MAX_LENGTH];
	int32_t len = 0;
	UBool failed = 0;
	U8_APPEND(bytes, len, (int32_t)sizeof(bytes), (uint32_t)c, failed);
	if (!failed)
		buf_append_bytes(out, bytes, (size_t)len);
}

void utf8_fold(struct span text, struct buf *out)
{
	const uint8_t *bytes = (const uint8_t *)text.ptr;
	/* ICU counts in 32 bits; what we search is far below that. */
	int32_t len = text.len > INT32_MAX ? INT32_MAX : (int32_t)text.len;
	for (int32_t i = 0; i < len;) {
		if (bytes[i] < 0x80) {
			buf_append_char(out, ascii_lower((char)bytes[i++]));
			continue;
		}
		UChar32 c;
		U8_NEXT_OR_FFFD(bytes, i, len, c);
		append_character(u_foldCase(c, U_FOLD_CASE_DEFAULT), out);
	}
}
