/* Outgoing content. See content.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/content.h"

/* Lines up to this length are taken at once. */
#define LINE_ORDINARY 1000

void smtp_content_init(struct smtp_content *content, size_t line_limit)
{
	*content = (struct smtp_content){.line_limit = line_limit};
}

static void end_line(struct smtp_content *content, struct buf *out)
{
	buf_append(out, SPAN("\r\n"));
	content->column = 0;
}

/* A fold begins the next line with a space: in a header it stays one field. A UTF-8 character is
 * not cut: three bytes before the limit its first byte goes to the next line. */
static bool must_fold(const struct smtp_content *content, unsigned char c)
{
	if (content->line_limit == 0)
		return false;
	if (content->column >= content->line_limit)
		return true;
	return c >= 0xc0 && content->column + 3 >= content->line_limit;
}

static void put(struct smtp_content *content, char c, struct buf *out)
{
	if (must_fold(content, (unsigned char)c)) {
		end_line(content, out);
		buf_append_char(out, ' ');
		content->column = 1;
	}
	if (content->column == 0 && c == '.')
		buf_append_char(out, '.');
	buf_append_char(out, c);
	content->column++;
}

/* Bytes that need no decision: up to the next CR or LF, and no further than the line's limit. */
static size_t plain_run(const struct smtp_content *content, struct span rest)
{
	size_t most = content->line_limit == 0 ? rest.len
		      : content->line_limit > content->column + 4
			      ? content->line_limit - content->column - 4
			      : 0;
	if (most > rest.len)
		most = rest.len;
	if (content->column == 0)
		return 0;
	const char *end = memchr(rest.ptr, '\n', most);
	if (end != NULL)
		most = (size_t)(end - rest.ptr);
	end = memchr(rest.ptr, '\r', most);
	return end == NULL ? most : (size_t)(end - rest.ptr);
}

/* Takes the lines at the front that are whole, fit, and have no dot in front and no CR (which the
 * caller knows): how many bytes. */
static size_t take_lines(const struct smtp_content *content, struct span rest, struct buf *out)
{
	size_t limit = content->line_limit == 0 || content->line_limit > LINE_ORDINARY ?
		LINE_ORDINARY : content->line_limit;
	const char *at = rest.ptr, *end = rest.ptr + rest.len;
	/* Each line has one byte more, and one at least. */
	char *start = limit < 5 ? NULL : buf_reserve(out, 2 * rest.len), *to = start;
	if (start == NULL)
		return 0;
	while (at < end && *at != '.') {
		size_t near = (size_t)(end - at) < limit - 4 ? (size_t)(end - at) : limit - 4;
		const char *lf = memchr(at, '\n', near);
		if (lf == NULL)
			break;
		size_t text = (size_t)(lf - at);
		memcpy(to, at, text);
		to[text] = '\r';
		to[text + 1] = '\n';
		to += text + 2;
		at = lf + 1;
	}
	out->len += (size_t)(to - start);
	return (size_t)(at - rest.ptr);
}

void smtp_content_encode(struct smtp_content *content, struct span piece, struct buf *out)
{
	bool has_cr = piece.len > 0 && memchr(piece.ptr, '\r', piece.len) != NULL;
	while (piece.len > 0) {
		char c = piece.ptr[0];
		size_t lines = content->column > 0 || content->after_cr || has_cr ? 0 :
			take_lines(content, piece, out);
		if (lines > 0) {
			piece = span_skip(piece, lines);
			continue;
		}
		if (content->after_cr) {
			content->after_cr = false;
			if (c != '\n')
				put(content, ' ', out);
		}
		size_t run = plain_run(content, piece);
		if (run > 0) {
			buf_append(out, span_head(piece, run));
			content->column += run;
			piece = span_skip(piece, run);
			continue;
		}
		if (c == '\n')
			end_line(content, out);
		else if (c == '\r')
			content->after_cr = true;
		else
			put(content, c, out);
		piece = span_skip(piece, 1);
	}
}

void smtp_content_end(struct smtp_content *content, struct buf *out)
{
	if (content->after_cr)
		put(content, ' ', out);
	content->after_cr = false;
	if (content->column > 0)
		end_line(content, out);
	buf_append(out, SPAN(".\r\n"));
}
