/* RFC 2047. See encoded_word.h.
 * SPDX-License-Identifier: ISC */
#include "mail/encoded_word.h"

#include "base/ascii.h"
#include "mail/charset.h"
#include "mail/transfer.h"

struct word {
	struct span charset; /* without the language */
	char encoding;       /* 'B' or 'Q' */
	struct span text;
	size_t length;       /* of the whole word */
};

/* "=?charset*lang?B?text?=" at the beginning of s. The text may hold spaces (seen in the wild) but
 * no "?=". */
static bool parse_word(struct span s, struct word *ret_word)
{
	if (!span_starts_with(s, SPAN("=?")))
		return false;
	size_t charset_end = 2;
	while (charset_end < s.len && charset_end <= 2 + 2 * CHARSET_NAME_MAX &&
		ascii_is_graph(s.ptr[charset_end]) && s.ptr[charset_end] != '?')
		charset_end++;
	if (charset_end + 3 > s.len || charset_end == 2 || s.ptr[charset_end] != '?' ||
		s.ptr[charset_end + 2] != '?')
		return false;
	char encoding = ascii_upper(s.ptr[charset_end + 1]);
	if (encoding != 'B' && encoding != 'Q')
		return false;
	size_t text = charset_end + 3;
	size_t end = text;
	while (end < s.len && s.ptr[end] != '?' && s.ptr[end] != '\n')
		end++;
	if (end + 1 >= s.len || s.ptr[end] != '?' || s.ptr[end + 1] != '=')
		return false;
	struct span charset = span_part(s, 2, charset_end - 2);
	size_t language = span_find_char(charset, '*');
	*ret_word = (struct word){language == SIZE_MAX ? charset : span_head(charset, language),
		encoding, span_part(s, text, end - text), end + 2};
	return true;
}

static void decode_q(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '_') {
			c = ' ';
		} else if (c == '=' && i + 2 < text.len && ascii_hex_value(text.ptr[i + 1]) >= 0 &&
			ascii_hex_value(text.ptr[i + 2]) >= 0) {
			c = (char)(ascii_hex_value(text.ptr[i + 1]) * 16 +
				   ascii_hex_value(text.ptr[i + 2]));
			i += 2;
		}
		buf_append_char(out, c);
	}
}

/* Words that follow each other in one charset are decoded together, so that a character may be cut.
 * */
struct pending {
	struct span charset;
	struct buf bytes;
};

static void append_clean(struct span text, struct buf *out)
{
	size_t start = out->len;
	utf8_clean(text, out);
	for (size_t i = start; i < out->len; i++)
		if (ascii_is_control(out->ptr[i]) && out->ptr[i] != '\t')
			out->ptr[i] = ' ';
}

static void flush(struct pending *pending, struct buf *out)
{
	if (pending->bytes.len == 0)
		return;
	struct buf text = BUF_INIT(pending->bytes.len * 4 + 16);
	if (!charset_to_utf8(pending->charset, buf_span(&pending->bytes), &text))
		utf8_clean(buf_span(&pending->bytes), &text);
	append_clean(buf_span(&text), out);
	buf_done(&text);
	buf_reset(&pending->bytes);
}

/* The white space at s, line ends included. */
static size_t space_length(struct span s)
{
	size_t len = 0;
	while (len < s.len && ascii_is_space(s.ptr[len]))
		len++;
	return len;
}

static void append_plain(struct span text, struct buf *out)
{
	size_t start = 0;
	for (size_t i = 0; i <= text.len; i++) {
		if (i < text.len && text.ptr[i] != '\n' && text.ptr[i] != '\r')
			continue;
		append_clean(span_part(text, start, i - start), out);
		start = i + 1;
	}
}

/* The plain text up to the next "=?" or the end. */
static size_t plain_length(struct span s)
{
	size_t next = span_find(span_skip(s, 1), SPAN("=?"));
	return next == SIZE_MAX ? s.len : next + 1;
}

void encoded_word_decode(struct span value, struct buf *out)
{
	struct span rest = span_trim(value);
	struct pending pending = {SPAN_EMPTY, BUF_INIT(rest.len)};
	struct word word;
	while (rest.len > 0 && !out->overflow) {
		if (!parse_word(rest, &word)) {
			flush(&pending, out);
			size_t len = plain_length(rest);
			append_plain(span_head(rest, len), out);
			rest = span_skip(rest, len);
			continue;
		}
		if (!span_equal_nocase(word.charset, pending.charset))
			flush(&pending, out);
		pending.charset = word.charset;
		if (word.encoding == 'Q')
			decode_q(word.text, &pending.bytes);
		else
			transfer_decode_all(TRANSFER_BASE64, word.text, &pending.bytes);
		rest = span_skip(rest, word.length);
		size_t space = space_length(rest);
		struct word next;
		if (space > 0 && parse_word(span_skip(rest, space), &next))
			rest = span_skip(rest, space);
	}
	flush(&pending, out);
	buf_done(&pending.bytes);
}
