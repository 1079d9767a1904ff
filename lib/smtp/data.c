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

/* Lines of up to this length are taken at once. */
#define LINE_ORDINARY 1000

/* Takes the lines at the front that are whole, not long, begin with no dot and have no CR but the
 * last (that there is no NUL, the caller knows): how many bytes. Most of most messages, so it is
 * quick. */
static size_t take_lines(struct smtp_data *data, struct span input, struct buf *out)
{
	const char *at = input.ptr, *end = input.ptr + input.len;
	char *start = buf_reserve(out, input.len), *to = start;

	if (start == NULL)
		return 0;
	while (at < end && !(*at == '.' && data->dots)) {
		size_t near = end - at < LINE_ORDINARY ? (size_t)(end - at) : LINE_ORDINARY;
		const char *lf = memchr(at, '\n', near);
		if (lf == NULL || lf == at || lf[-1] != '\r')
			break;
		size_t text = (size_t)(lf - at) - 1;
		if (memchr(at, '\r', text) != NULL)
			break;
		memcpy(to, at, text);
		to[text] = '\n';
		to += text + 1;
		at = lf + 1;
	}
	out->len += (size_t)(to - start);
	data->size += (uint64_t)(at - input.ptr);
	if (at > input.ptr) {
		data->ended_line = true;
		data->last_bare = false;
	}
	return (size_t)(at - input.ptr);
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
		size_t lines = text && data->state == LINE_START && data->carriage_returns == 0 ?
			take_lines(data, rest, out) : 0;
		if (lines > 0) {
			used += lines;
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
