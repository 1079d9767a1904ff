/* Replies of a server. See reply.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/reply.h"

#include "base/ascii.h"

void smtp_reply_init(struct smtp_reply *reply)
{
	*reply = (struct smtp_reply){.text = BUF_INIT(SMTP_REPLY_TEXT_MAX)};
}

void smtp_reply_done(struct smtp_reply *reply)
{
	buf_done(&reply->text);
}

void smtp_reply_reset(struct smtp_reply *reply)
{
	buf_reset(&reply->text);
	reply->code = 0;
	reply->lines = 0;
	reply->status = (struct mail_status){.class = 0};
}

static struct span without_line_end(struct span line)
{
	while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r' ||
		line.ptr[line.len - 1] == ' '))
		line.len--;
	return line;
}

bool smtp_reply_line(struct span line, unsigned *ret_code, bool *ret_more, struct span *ret_text)
{
	uint64_t code;
	line = without_line_end(line);
	if (!span_to_u64(span_head(line, 3), 599, &code) || line.len < 3 || code < 200)
		return false;
	if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
		return false;
	*ret_code = (unsigned)code;
	*ret_more = line.len > 3 && line.ptr[3] == '-';
	*ret_text = span_skip(line, 4);
	return true;
}

/* Whole lines are kept, so that the text never ends in half of one because of the cap. */
static void keep(struct smtp_reply *reply, struct span line)
{
	if (reply->text.len + line.len + 1 > SMTP_REPLY_TEXT_MAX)
		return;
	if (reply->text.len > 0)
		buf_append_char(&reply->text, ' ');
	for (size_t i = 0; i < line.len; i++)
		buf_append_char(&reply->text, ascii_is_control(line.ptr[i]) ? '?' : line.ptr[i]);
}

enum smtp_reply_result smtp_reply_add(struct smtp_reply *reply, struct span line)
{
	unsigned code;
	bool more;
	struct span text;
	if (++reply->lines > SMTP_REPLY_LINES_MAX || !smtp_reply_line(line, &code, &more, &text))
		return SMTP_REPLY_BAD;
	keep(reply, span_head(without_line_end(line), SMTP_REPLY_LINE_MAX));
	reply->code = code;
	reply->status = mail_status_of_reply(code, text, NULL);
	return more ? SMTP_REPLY_MORE : SMTP_REPLY_DONE;
}
