/* Resource data. See rdata.h.
 * SPDX-License-Identifier: ISC */
#include "dns/rdata.h"

#include "base/ascii.h"

static bool is_name_byte(char c)
{
	return ascii_is_graph(c) && c != '.' && c != '\\' && c != '"' && c != '@';
}

bool dns_rdata_name(struct span rdata, struct buf *out)
{
	size_t start = out->len;
	struct span rest = rdata;
	if (rdata.len > DNS_NAME_MAX)
		return false;
	while (rest.len > 0) {
		size_t len = (unsigned char)rest.ptr[0];
		struct span label = span_part(rest, 1, len);
		if (len == 0 && rest.len == 1)
			return !out->overflow;
		if (len == 0 || len > 63 || label.len != len)
			break;
		if (out->len > start)
			buf_append_char(out, '.');
		for (size_t i = 0; i < len; i++) {
			if (!is_name_byte(label.ptr[i])) {
				buf_truncate(out, start);
				return false;
			}
		}
		buf_append(out, label);
		rest = span_skip(rest, 1 + len);
	}
	buf_truncate(out, start);
	return false;
}

bool dns_rdata_mx(struct span rdata, uint16_t *ret_preference, struct buf *out)
{
	if (rdata.len < 3 || !dns_rdata_name(span_skip(rdata, 2), out))
		return false;
	*ret_preference = (uint16_t)((unsigned char)rdata.ptr[0] << 8 | (unsigned char)rdata.ptr[1]);
	return true;
}

bool dns_rdata_txt(struct span rdata, struct buf *out)
{
	size_t start = out->len;
	while (rdata.len > 0) {
		size_t len = (unsigned char)rdata.ptr[0];
		if (len > rdata.len - 1) {
			buf_truncate(out, start);
			return false;
		}
		buf_append(out, span_part(rdata, 1, len));
		rdata = span_skip(rdata, 1 + len);
	}
	return !out->overflow;
}
