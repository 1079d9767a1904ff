/* Domain names and address literals of mail addresses: RFC 1123 section 2.1, RFC 5321 section
 * 4.1.3, RFC 5890 by way of libidn2. Declared in address.h.
 * SPDX-License-Identifier: ISC */
#include "mail/address.h"

#include <idn2.h>
#include <stdlib.h>

#include "base/ascii.h"

static bool label_is_good(struct span label)
{
	if (label.len == 0 || label.len > 63)
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!ascii_is_alnum(label.ptr[i]) && label.ptr[i] != '-' && label.ptr[i] != '_')
			return false;
	return label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
}

static bool all_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_digit(s.ptr[i]))
			return false;
	return true;
}

bool mail_domain_is_name(struct span domain)
{
	struct span rest = domain, label = SPAN_EMPTY;
	if (domain.len == 0 || domain.len > MAIL_DOMAIN_MAX)
		return false;
	while (rest.ptr != NULL) {
		label = span_split(&rest, '.');
		if (!label_is_good(label))
			return false;
	}
	return !all_digits(label);
}

static bool is_ipv4(struct span text)
{
	struct span rest = text;
	int parts = 0;
	while (rest.ptr != NULL) {
		uint64_t value;
		struct span part = span_split(&rest, '.');
		if (part.len > 3 || !span_to_u64(part, 255, &value))
			return false;
		parts++;
	}
	return parts == 4;
}

/* Groups of 16 bits, one "::" at most, an IPv4 address possible at the end. */
static bool is_ipv6(struct span text)
{
	int groups = 0;
	bool gap = false;
	size_t at = 0;
	if (span_starts_with(text, SPAN("::"))) {
		gap = true;
		at = 2;
	}
	while (at < text.len) {
		size_t start = at;
		while (at < text.len && ascii_hex_value(text.ptr[at]) >= 0)
			at++;
		if (at < text.len && text.ptr[at] == '.') {
			groups += 2;
			return is_ipv4(span_skip(text, start)) && (gap ? groups < 8 : groups == 8);
		}
		if (at == start || at - start > 4)
			return false;
		groups++;
		if (at == text.len)
			break;
		if (text.ptr[at++] != ':' || at == text.len)
			return false;
		if (text.ptr[at] == ':') {
			if (gap)
				return false;
			gap = true;
			at++;
		}
	}
	return gap ? groups < 8 : groups == 8;
}

bool mail_domain_is_literal(struct span domain, struct span *ret_address)
{
	if (domain.len < 3 || domain.ptr[0] != '[' || domain.ptr[domain.len - 1] != ']')
		return false;
	struct span inner = span_part(domain, 1, domain.len - 2);
	if (span_starts_with_nocase(inner, SPAN("IPv6:"))) {
		inner = span_skip(inner, 5);
		if (!is_ipv6(inner))
			return false;
	} else if (!is_ipv4(inner)) {
		return false;
	}
	if (ret_address != NULL)
		*ret_address = inner;
	return true;
}

static void append_lower(struct span s, struct buf *out)
{
	for (size_t i = 0; i < s.len; i++)
		buf_append_char(out, ascii_lower(s.ptr[i]));
}

bool mail_domain_to_ascii(struct span domain, struct buf *out)
{
	if (mail_domain_is_name(domain) || mail_domain_is_literal(domain, NULL)) {
		append_lower(domain, out);
		return true;
	}
	if (domain.len > 4 * MAIL_DOMAIN_MAX || span_is_ascii(domain) || !span_is_utf8(domain) ||
		!span_is_printable(domain))
		return false;
	char *text = span_dup_cstr(domain);
	char *name = NULL;
	int result = idn2_to_ascii_8z(text, &name, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	bool good = result == IDN2_OK && mail_domain_is_name(span_from_cstr(name));
	if (good)
		append_lower(span_from_cstr(name), out);
	free(text);
	idn2_free(name);
	return good;
}

static bool has_a_label(struct span domain)
{
	for (size_t i = 0; i + 4 <= domain.len; i++)
		if ((i == 0 || domain.ptr[i - 1] == '.') &&
			span_equal_nocase(span_part(domain, i, 4), SPAN("xn--")))
			return true;
	return false;
}

bool mail_domain_other_form(struct span domain, struct buf *out)
{
	if (!span_is_ascii(domain))
		return mail_domain_to_ascii(domain, out);
	if (!has_a_label(domain) || !mail_domain_is_name(domain))
		return false;
	char *text = span_dup_cstr(domain), *name = NULL;
	bool good = idn2_to_unicode_8z8z(text, &name, 0) == IDN2_OK &&
		!span_is_ascii(span_from_cstr(name));
	if (good)
		append_lower(span_from_cstr(name), out);
	free(text);
	idn2_free(name);
	return good;
}

bool mail_domain_equal(struct span a, struct span b)
{
	if (span_equal_nocase(a, b))
		return true;
	if (span_is_ascii(a) && span_is_ascii(b))
		return false;
	struct buf first = BUF_INIT(MAIL_DOMAIN_MAX), second = BUF_INIT(MAIL_DOMAIN_MAX);
	bool equal = mail_domain_to_ascii(a, &first) && mail_domain_to_ascii(b, &second) &&
		span_equal(buf_span(&first), buf_span(&second));
	buf_done(&first);
	buf_done(&second);
	return equal;
}

void mail_address_fold_domain(struct span full, struct buf *out)
{
	struct mail_address address = mail_address_split(full);
	buf_append(out, span_head(full, full.len - address.domain.len));
	append_lower(address.domain, out);
}
