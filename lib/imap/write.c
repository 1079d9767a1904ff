/* Strings in IMAP responses. RFC 3501 4.3 and section 9 (astring, nstring, quoted, literal).
 * SPDX-License-Identifier: ISC */
#include "imap/write.h"

#include "base/ascii.h"
#include "imap/parser.h"

#define QUOTED_MAX 1000

static bool can_be_quoted(struct span text)
{
	if (text.len > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c == '\0' || c == '\r' || c == '\n' || c > 127)
			return false;
	}
	return true;
}

void imap_write_literal_start(uint64_t len, struct buf *out)
{
	if (len == 0) {
		buf_append_cstr(out, "\"\"");
		return;
	}
	buf_append_char(out, '{');
	buf_append_u64(out, len);
	buf_append_cstr(out, "}\r\n");
}

void imap_write_string(struct span text, struct buf *out)
{
	if (!can_be_quoted(text)) {
		imap_write_literal_start(text.len, out);
		buf_append(out, text);
		return;
	}
	buf_append_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, text.ptr[i]);
	}
	buf_append_char(out, '"');
}

void imap_write_astring(struct span text, struct buf *out)
{
	bool atom = text.len > 0 && text.len <= QUOTED_MAX && !span_equal_nocase(text, SPAN("NIL"));
	for (size_t i = 0; i < text.len && atom; i++)
		atom = imap_is_atom_char(text.ptr[i]);
	if (atom)
		buf_append(out, text);
	else
		imap_write_string(text, out);
}

void imap_write_nstring(struct span text, struct buf *out)
{
	if (text.ptr == NULL)
		buf_append_cstr(out, "NIL");
	else
		imap_write_string(text, out);
}
