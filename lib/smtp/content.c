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

/* The length of the line at the front, LF included, when it is whole, fits, and has no dot in front
 * and no CR; otherwise 0. */
static size_t ordinary_line(const struct smtp_content *content, struct span rest)
{
	size_t limit = content->line_limit == 0 || content->line_limit > LINE_ORDINARY ?
		LINE_ORDINARY : content->line_limit;
	struct span near = span_head(rest, limit < 5 ? 0 : limit - 4);
	const char *end = near.len == 0 ? NULL : memchr(near.ptr, '\n', near.len);
	size_t text = end == NULL ? 0 : (size_t)(end - near.ptr);

	if (content->column > 0 || content->after_cr || end == NULL || near.ptr[0] == '.' ||
		memchr(near.ptr, '\r', text) != NULL)
		return 0;
	return text + 1;
}

void smtp_content_encode(struct smtp_content *content, struct span piece, struct buf *out)
{
	while (piece.len > 0) {
		char c = piece.ptr[0];
		size_t line = ordinary_line(content, piece);
		if (line > 0) {
			buf_append(out, span_head(piece, line));
			if (!out->overflow)
				out->ptr[out->len - 1] = '\r';
			buf_append_char(out, '\n');
			piece = span_skip(piece, line);
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
