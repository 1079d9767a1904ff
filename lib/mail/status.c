/* Enhanced status codes. See status.h.
 * SPDX-License-Identifier: ISC */
#include "mail/status.h"

#include "base/ascii.h"

/* One to three digits and what must stand behind them. */
static bool parse_number(struct span *rest, char behind, uint16_t *ret_number)
{
	size_t len = 0;
	uint64_t value;
	while (len < rest->len && ascii_is_digit(rest->ptr[len]))
		len++;
	if (len > 3 || !span_to_u64(span_head(*rest, len), 999, &value))
		return false;
	if (behind != '\0') {
		if (len == rest->len || rest->ptr[len] != behind)
			return false;
		len++;
	}
	*rest = span_skip(*rest, len);
	*ret_number = (uint16_t)value;
	return true;
}

bool mail_status_parse(struct span text, struct mail_status *ret_status, struct span *ret_rest)
{
	struct mail_status status;
	struct span rest = span_skip(text, 2);
	if (text.len < 5 || (text.ptr[0] != '2' && text.ptr[0] != '4' && text.ptr[0] != '5') ||
		text.ptr[1] != '.')
		return false;
	status.class = (uint8_t)(text.ptr[0] - '0');
	if (!parse_number(&rest, '.', &status.subject) ||
		!parse_number(&rest, '\0', &status.detail))
		return false;
	if (rest.len > 0 && !ascii_is_space(rest.ptr[0]))
		return false;
	while (rest.len > 0 && ascii_is_space(rest.ptr[0]))
		rest = span_skip(rest, 1);
	*ret_status = status;
	if (ret_rest != NULL)
		*ret_rest = rest;
	return true;
}

void mail_status_format(struct mail_status status, struct buf *out)
{
	buf_append_u64(out, status.class);
	buf_append_char(out, '.');
	buf_append_u64(out, status.subject);
	buf_append_char(out, '.');
	buf_append_u64(out, status.detail);
}

struct mail_status mail_status_of_reply(
	unsigned reply_code, struct span text, struct span *ret_rest)
{
	struct mail_status status;
	unsigned class = reply_code / 100;
	if (mail_status_parse(text, &status, ret_rest) && status.class == class)
		return status;
	if (ret_rest != NULL)
		*ret_rest = text;
	if (class != 2 && class != 5)
		class = 4;
	return (struct mail_status){.class = (uint8_t)class};
}
