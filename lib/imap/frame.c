/* Framing of IMAP commands: lines and literals. RFC 3501 2.2.1 and 4.3, RFC 7888.
 * INVARIANT: bytes never grows beyond limits.total_max; literal_left bytes of an accepted literal
 * are still to come.
 * SPDX-License-Identifier: ISC */
#include "imap/frame.h"

#include <string.h>

#include "base/ascii.h"

const struct imap_frame_limits imap_frame_before_login = {
	.line_max = 8192, .literal_max = 1024, .literal_count = 4, .total_max = 12288};
const struct imap_frame_limits imap_frame_after_login = {
	.line_max = 65536, .literal_max = 65536, .literal_count = 200, .total_max = 262144};

void imap_frame_init(struct imap_frame *frame, const struct imap_frame_limits *limits)
{
	*frame = (struct imap_frame){.limits = *limits};
	frame->bytes = BUF_LARGE(limits->total_max);
}

void imap_frame_done(struct imap_frame *frame)
{
	buf_wipe(&frame->bytes);
}

void imap_frame_reset(struct imap_frame *frame)
{
	buf_shrink(&frame->bytes, 0);
	frame->line_start = frame->literal_left = frame->literal_seen = 0;
	frame->literal_size = 0;
	frame->literal_too_big = frame->waiting = frame->nul_seen = false;
	if (!frame->skipping)
		frame->tail_len = 0;
}

bool imap_frame_is_empty(const struct imap_frame *frame)
{
	return frame->bytes.len == 0 && frame->literal_left == 0 && !frame->skipping;
}

/* Does the line end in {n} or {n+}? */
static bool find_literal(struct imap_frame *frame, struct span line)
{
	if (line.len < 3 || line.ptr[line.len - 1] != '}')
		return false;
	size_t open = span_find_last_char(line, '{');
	if (open == SIZE_MAX)
		return false;
	struct span number = span_part(line, open + 1, line.len - open - 2);
	bool sync = true;
	if (number.len > 0 &&
		(number.ptr[number.len - 1] == '+' || number.ptr[number.len - 1] == '-')) {
		sync = false;
		number.len--;
	}
	if (number.len == 0)
		return false;
	for (size_t i = 0; i < number.len; i++)
		if (!ascii_is_digit(number.ptr[i]))
			return false;
	if (!span_to_u64(number, UINT32_MAX, &frame->literal_size))
		frame->literal_size = UINT64_MAX;
	frame->literal_sync = sync;
	return true;
}

static enum imap_frame_result end_of_line(struct imap_frame *frame)
{
	struct span line = span_skip(buf_span(&frame->bytes), frame->line_start);
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	buf_truncate(&frame->bytes, frame->line_start + line.len);
	bool bad = frame->nul_seen || span_find_char(line, '\r') != SIZE_MAX;
	if (!find_literal(frame, line))
		return bad ? IMAP_FRAME_BAD : IMAP_FRAME_OK;
	/* What a bad line announces and sends unasked is not the next command. */
	if (bad && frame->literal_sync)
		return IMAP_FRAME_BAD;
	frame->literal_seen++;
	frame->waiting = true;
	frame->literal_too_big =
		bad || frame->literal_size > frame->limits.literal_max ||
		frame->literal_seen > frame->limits.literal_count ||
		frame->bytes.len + frame->literal_size + 2 > frame->limits.total_max;
	buf_append(&frame->bytes, SPAN("\r\n"));
	return frame->bytes.overflow ? IMAP_FRAME_TOO_LONG : IMAP_FRAME_LITERAL;
}

static void keep_tail(struct imap_frame *frame, struct span part)
{
	if (part.len > IMAP_FRAME_TAIL)
		part = span_skip(part, part.len - IMAP_FRAME_TAIL);
	size_t kept = IMAP_FRAME_TAIL - part.len;
	if (frame->tail_len > kept) {
		memmove(frame->tail, frame->tail + frame->tail_len - kept, kept);
		frame->tail_len = kept;
	}
	if (part.len > 0)
		memcpy(frame->tail + frame->tail_len, part.ptr, part.len);
	frame->tail_len += part.len;
}

static enum imap_frame_result skip_line(
	struct imap_frame *frame, struct span input, size_t *ret_used)
{
	size_t end = span_find_char(input, '\n');
	keep_tail(frame, span_head(input, end));
	*ret_used = end == SIZE_MAX ? input.len : end + 1;
	if (end == SIZE_MAX)
		return IMAP_FRAME_MORE;
	struct span line = span_new(frame->tail, frame->tail_len);
	frame->tail_len = 0;
	if (line.len > 0 && line.ptr[line.len - 1] == '\r')
		line.len--;
	/* A client that waits to be asked has had its answer. */
	if (find_literal(frame, line) && !frame->literal_sync) {
		frame->waiting = frame->literal_too_big = true;
		return IMAP_FRAME_LITERAL;
	}
	frame->skipping = false;
	return IMAP_FRAME_BAD;
}

static bool feed_literal(struct imap_frame *frame, struct span input, size_t *ret_used)
{
	struct span part = span_head(input, frame->literal_left);
	buf_append(&frame->bytes, part);
	if (span_find_char(part, '\0') != SIZE_MAX)
		frame->nul_seen = true;
	frame->literal_left -= part.len;
	frame->line_start = frame->bytes.len;
	*ret_used = part.len;
	return frame->literal_left == 0;
}

enum imap_frame_result imap_frame_feed(
	struct imap_frame *frame, struct span input, size_t *ret_used)
{
	*ret_used = 0;
	if (frame->waiting)
		return IMAP_FRAME_LITERAL;
	if (frame->skipping)
		return skip_line(frame, input, ret_used);
	if (frame->literal_left > 0) {
		if (!feed_literal(frame, input, ret_used))
			return IMAP_FRAME_MORE;
		input = span_skip(input, *ret_used);
	}
	size_t end = span_find_char(input, '\n');
	struct span part = end == SIZE_MAX ? input : span_head(input, end);
	if (frame->bytes.len - frame->line_start + part.len > frame->limits.line_max ||
		frame->bytes.len + part.len > frame->limits.total_max)
		return IMAP_FRAME_TOO_LONG;
	if (span_find_char(part, '\0') != SIZE_MAX)
		frame->nul_seen = true;
	buf_append(&frame->bytes, part);
	if (frame->bytes.overflow)
		return IMAP_FRAME_TOO_LONG;
	*ret_used += part.len + (end == SIZE_MAX ? 0 : 1);
	return end == SIZE_MAX ? IMAP_FRAME_MORE : end_of_line(frame);
}

void imap_frame_accept_literal(struct imap_frame *frame)
{
	frame->waiting = false;
	frame->literal_left = (size_t)frame->literal_size;
	frame->line_start = frame->bytes.len;
}

void imap_frame_take_literal(struct imap_frame *frame)
{
	frame->waiting = false;
	frame->literal_left = 0;
	frame->line_start = frame->bytes.len;
}

void imap_frame_skip_line(struct imap_frame *frame)
{
	/* Not behind a literal: its announcement has had its effect. */
	if (!frame->waiting && !frame->skipping)
		keep_tail(frame, span_skip(buf_span(&frame->bytes), frame->line_start));
	frame->waiting = false;
	frame->skipping = true;
}
