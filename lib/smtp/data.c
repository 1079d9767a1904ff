/* See data.h. SPDX-License-Identifier: ISC */
#include "smtp/data.h"

enum state {
	LINE_START,
	DOT,    /* a dot at the beginning of a line: dropped */
	DOT_CR, /* and a CR */
	TEXT,
};

/* More CRs in a row than this are no text; the rest is dropped. */
#define CARRIAGE_RETURNS_MAX 1000

void smtp_data_init(struct smtp_data *data, enum smtp_newline newline, bool dots)
{
	*data = (struct smtp_data){.newline = newline, .dots = dots, .state = LINE_START,
		.ended_line = true};
}

static void put(struct smtp_data *data, struct span bytes, struct buf *out)
{
	if (bytes.len == 0)
		return;
	buf_append(out, bytes);
	data->size += bytes.len;
	data->ended_line = false;
}

static void put_stray_returns(struct smtp_data *data, struct buf *out)
{
	for (; data->carriage_returns > 0; data->carriage_returns--)
		put(data, SPAN(" "), out);
}

static enum smtp_data_result end_line(struct smtp_data *data, bool bare, struct buf *out)
{
	data->carriage_returns = 0;
	data->last_bare = bare;
	data->state = LINE_START;
	if (bare)
		data->bare_lf = true;
	if (bare && data->newline == SMTP_NEWLINE_REJECT)
		return SMTP_DATA_BARE_LF;
	buf_append_char(out, '\n');
	data->size += 2;
	data->ended_line = true;
	return SMTP_DATA_MORE;
}

/* One byte that is not plain text. */
static enum smtp_data_result special(struct smtp_data *data, char c, struct buf *out)
{
	if (c == '\r') {
		if (data->carriage_returns < CARRIAGE_RETURNS_MAX)
			data->carriage_returns++;
		data->state = data->state == DOT ? DOT_CR : TEXT;
		return SMTP_DATA_MORE;
	}
	if (c == '\n') {
		bool bare = data->carriage_returns == 0;
		/* INVARIANT: END only for CRLF "." CRLF, unless the administrator said otherwise. */
		bool strict_end = data->state == DOT_CR && !data->last_bare;
		bool loose_end = data->newline == SMTP_NEWLINE_ALLOW &&
			(data->state == DOT || data->state == DOT_CR);
		if (strict_end || loose_end)
			return SMTP_DATA_END;
		return end_line(data, bare, out);
	}
	data->state = TEXT; /* NUL */
	return SMTP_DATA_MORE;
}

/* How many bytes at the front hold no CR, LF or NUL. */
static size_t plain_length(struct span input)
{
	size_t len = input.len;
	const char *found = memchr(input.ptr, '\n', len);

	if (found != NULL)
		len = (size_t)(found - input.ptr);
	found = memchr(input.ptr, '\r', len);
	if (found != NULL)
		len = (size_t)(found - input.ptr);
	found = memchr(input.ptr, '\0', len);
	return found != NULL ? (size_t)(found - input.ptr) : len;
}

/* Lines of this length are taken at once. */
#define LINE_ORDINARY 1000

/* The length of the line at the front, CRLF included, when it is whole, not long, and has no CR but
 * the last (that it has no NUL, the caller knows); otherwise 0. */
static size_t ordinary_line(struct span input)
{
	struct span near = span_head(input, LINE_ORDINARY);
	const char *end = memchr(near.ptr, '\n', near.len);
	size_t text = end == NULL ? 0 : (size_t)(end - near.ptr);

	if (text == 0 || end[-1] != '\r' || memchr(near.ptr, '\r', text - 1) != NULL)
		return 0;
	return text + 1;
}

static void put_line(struct smtp_data *data, struct span line, struct buf *out)
{
	put(data, span_head(line, line.len - 1), out);
	if (!out->overflow)
		out->ptr[out->len - 1] = '\n';
	data->size++;
	data->ended_line = true;
	data->last_bare = false;
}

enum smtp_data_result smtp_data_decode(struct smtp_data *data, struct span input, struct buf *out,
	size_t *ret_used)
{
	size_t used = 0;
	enum smtp_data_result result = SMTP_DATA_MORE;
	bool text = memchr(input.ptr, '\0', input.len) == NULL;

	while (used < input.len && result == SMTP_DATA_MORE) {
		struct span rest = span_skip(input, used);
		char c = rest.ptr[0];
		if (data->state == LINE_START && c == '.' && data->dots) {
			data->state = DOT;
			used++;
			continue;
		}
		size_t line = text && data->state == LINE_START && data->carriage_returns == 0 ?
			ordinary_line(rest) : 0;
		if (line > 0) {
			put_line(data, span_head(rest, line), out);
			used += line;
			continue;
		}
		if (c == '\r' || c == '\n') {
			result = special(data, c, out);
			used++;
			continue;
		}
		put_stray_returns(data, out);
		if (c == '\0') {
			result = special(data, c, out);
			used++;
			continue;
		}
		size_t len = plain_length(rest);
		put(data, span_head(rest, len), out);
		data->state = TEXT;
		used += len;
	}
	*ret_used = used;
	return result;
}

void smtp_data_finish(struct smtp_data *data, struct buf *out)
{
	put_stray_returns(data, out);
	if (!data->ended_line) {
		buf_append_char(out, '\n');
		data->size += 2;
		data->ended_line = true;
	}
	data->state = LINE_START;
}
