/* Charset conversion. See charset.h.
 * SPDX-License-Identifier: ISC */
#include "mail/charset.h"

#include <unicode/ucnv.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/memory.h"

#include <stdlib.h>

#define REPLACEMENT "\xef\xbf\xbd"

struct charset_decoder {
	UConverter *from, *utf8;
};

/* Names that mail uses for what it means in practice (as the WHATWG encoding standard has it). */
static const char *real_name(struct span name)
{
	static const struct {
		const char *name, *real;
	} aliases[] = {
		{"", "utf-8"},
		{"us-ascii", "utf-8"},
		{"ascii", "utf-8"},
		{"ansi_x3.4-1968", "utf-8"},
		{"utf8", "utf-8"},
		{"utf-8", "utf-8"},
		{"iso-8859-1", "windows-1252"},
		{"latin1", "windows-1252"},
		{"gb2312", "gb18030"},
		{"gbk", "gb18030"},
		{"ks_c_5601-1987", "windows-949"},
		{"euc-kr", "windows-949"},
		{"shift_jis", "windows-932"},
		{"iso-8859-8-i", "iso-8859-8"},
		{"unicode-1-1-utf-7", "utf-7"},
	};
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (span_equal_nocase(name, span_from_cstr(aliases[i].name)))
			return aliases[i].real;
	return NULL;
}

static bool name_is_plain(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.ptr[i]) && strchr("-_.:", name.ptr[i]) == NULL)
			return false;
	return name.len > 0 && name.len <= CHARSET_NAME_MAX;
}

static UConverter *open_converter(struct span name)
{
	UErrorCode error = U_ZERO_ERROR;
	const char *real = real_name(name);
	char *copy = NULL;
	if (real == NULL) {
		if (!name_is_plain(name))
			return NULL;
		real = copy = span_dup_cstr(name);
	}
	UConverter *converter = ucnv_open(real, &error);
	free(copy);
	return U_FAILURE(error) ? NULL : converter;
}

struct charset_decoder *charset_decoder_new(struct span name)
{
	UConverter *from = open_converter(name);
	if (from == NULL)
		return NULL;
	UErrorCode error = U_ZERO_ERROR;
	UConverter *utf8 = ucnv_open("UTF-8", &error);
	if (U_FAILURE(error)) {
		ucnv_close(from);
		return NULL;
	}
	struct charset_decoder *decoder = NEW(struct charset_decoder);
	*decoder = (struct charset_decoder){from, utf8};
	return decoder;
}

void charset_decoder_free(struct charset_decoder *decoder)
{
	if (decoder == NULL)
		return;
	ucnv_close(decoder->from);
	ucnv_close(decoder->utf8);
	free(decoder);
}

void charset_decode(struct charset_decoder *decoder, struct span bytes, bool last, struct buf *out)
{
	const char *source = bytes.ptr, *source_end = bytes.ptr + bytes.len;
	UErrorCode error;
	do {
		UChar wide[512];
		UChar *target = wide;
		error = U_ZERO_ERROR;
		ucnv_toUnicode(decoder->from, &target, wide + ARRAY_LEN(wide), &source, source_end,
			NULL, last, &error);
		if (U_FAILURE(error) && error != U_BUFFER_OVERFLOW_ERROR)
			return;
		const UChar *from = wide;
		UErrorCode write_error;
		do {
			char narrow[1024];
			char *to = narrow;
			write_error = U_ZERO_ERROR;
			ucnv_fromUnicode(decoder->utf8, &to, narrow + sizeof narrow, &from, target,
				NULL, last && error == U_ZERO_ERROR, &write_error);
			buf_append_bytes(out, narrow, (size_t)(to - narrow));
		} while (write_error == U_BUFFER_OVERFLOW_ERROR && !out->overflow);
	} while (error == U_BUFFER_OVERFLOW_ERROR && !out->overflow);
}

static size_t good_length(struct span bytes)
{
	size_t len = 1;
	if ((unsigned char)bytes.ptr[0] >= 128)
		for (len = 2; len <= 4 && len <= bytes.len; len++)
			if (span_is_utf8(span_head(bytes, len)))
				break;
	return len <= 4 && len <= bytes.len && span_is_utf8(span_head(bytes, len)) ? len : 0;
}

void utf8_clean(struct span bytes, struct buf *out)
{
	if (span_is_utf8(bytes)) {
		buf_append(out, bytes);
		return;
	}
	while (bytes.len > 0) {
		size_t len = good_length(bytes);
		buf_append(out, len == 0 ? SPAN(REPLACEMENT) : span_head(bytes, len));
		bytes = span_skip(bytes, len == 0 ? 1 : len);
	}
}

bool charset_to_utf8(struct span name, struct span bytes, struct buf *out)
{
	const char *real = real_name(name);
	if (real != NULL && strcmp(real, "utf-8") == 0) {
		utf8_clean(bytes, out);
		return true;
	}
	struct charset_decoder *decoder = charset_decoder_new(name);
	if (decoder == NULL)
		return false;
	charset_decode(decoder, bytes, true, out);
	charset_decoder_free(decoder);
	return true;
}
