/* The parts of an address, and their quoting. See address.h.
 * SPDX-License-Identifier: ISC */
#include "mail/address.h"

#include "base/ascii.h"

bool mail_is_atext(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c >= 128 ||
		(c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

struct mail_address mail_address_split(struct span full)
{
	size_t at = span_find_last_char(full, '@');
	if (at == SIZE_MAX)
		return (struct mail_address){full, full, span_skip(full, full.len)};
	return (struct mail_address){full, span_head(full, at), span_skip(full, at + 1)};
}

/* True when the local part has to be quoted. */
static bool mail_local_part_needs_quotes(struct span local)
{
	char before = '.';
	for (size_t i = 0; i < local.len; i++) {
		char c = local.ptr[i];
		if (c == '.' ? before == '.' : !mail_is_atext(c))
			return true;
		before = c;
	}
	return before == '.';
}

void mail_quoted_string(struct span text, char control, struct buf *out)
{
	buf_append_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '"' || c == '\\')
			buf_append_char(out, '\\');
		buf_append_char(out, ascii_is_control(c) ? control : c);
	}
	buf_append_char(out, '"');
}

/* No line end ever leaves through an address. */
void mail_local_part_quote(struct span local, struct buf *out)
{
	if (mail_local_part_needs_quotes(local))
		mail_quoted_string(local, '?', out);
	else
		buf_append(out, local);
}

void mail_address_quote(struct mail_address address, struct buf *out)
{
	if (address.full.len == 0)
		return;
	mail_local_part_quote(address.local, out);
	if (address.domain.len > 0) {
		buf_append_char(out, '@');
		buf_append(out, address.domain);
	}
}

void mail_address_quote_full(struct span full, struct buf *out)
{
	mail_address_quote(mail_address_split(full), out);
}

/* Names whose meaning would change if a part of them were cut off. */
static bool is_protected(struct span local, const char *delimiters)
{
	if (span_equal_nocase(local, SPAN("postmaster")) ||
		span_equal_nocase(local, SPAN("mailer-daemon")) ||
		span_equal_nocase(local, SPAN("double-bounce")))
		return true;
	return strchr(delimiters, '-') != NULL &&
		(span_starts_with_nocase(local, SPAN("owner-")) ||
			span_ends_with_nocase(local, SPAN("-request")));
}

bool mail_local_part_split(struct span local, const char *delimiters, struct span *ret_user,
	struct span *ret_extension)
{
	size_t at = 0;
	while (at < local.len &&
		(local.ptr[at] == '\0' || strchr(delimiters, local.ptr[at]) == NULL))
		at++;
	*ret_user = local;
	*ret_extension = SPAN_EMPTY;
	if (at == 0 || at == local.len || is_protected(local, delimiters))
		return false;
	*ret_user = span_head(local, at);
	*ret_extension = span_skip(local, at + 1);
	return true;
}
