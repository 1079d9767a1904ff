/* See next_hop.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/next_hop.h"

#include "smtp/settings.h"

static bool parse_port(struct span text, uint16_t *ret_port)
{
	*ret_port = settings_port(text);
	return *ret_port != 0;
}

/* "[host]" or "[host]:port" */
static bool parse_quoted(struct span text, struct next_hop *hop)
{
	size_t end = span_find_char(text, ']');
	if (end == SIZE_MAX || end == 1)
		return false;
	struct span rest = span_skip(text, end + 1);
	hop->host = span_part(text, 1, end - 1);
	if (span_starts_with_nocase(hop->host, SPAN("IPv6:")))
		hop->host = span_skip(hop->host, 5);
	if (rest.len == 0)
		return true;
	return rest.ptr[0] == ':' && parse_port(span_skip(rest, 1), &hop->port);
}

bool next_hop_parse(struct span text, bool lmtp, struct next_hop *ret_hop)
{
	struct next_hop hop = {.text = span_trim(text)};
	text = hop.text;
	if (span_starts_with(text, SPAN("unix:"))) {
		hop.host = span_skip(text, 5);
		hop.local = true;
		*ret_hop = hop;
		return hop.host.len > 0;
	}
	bool inet = span_starts_with(text, SPAN("inet:"));
	if (inet)
		text = span_skip(text, 5);
	if (text.len > 0 && text.ptr[0] == '[') {
		if (!parse_quoted(text, &hop))
			return false;
	} else {
		size_t colon = span_find_last_char(text, ':');
		hop.host = span_head(text, colon);
		hop.mx = !lmtp && !inet;
		if (colon != SIZE_MAX && !parse_port(span_skip(text, colon + 1), &hop.port))
			return false;
	}
	*ret_hop = hop;
	return hop.host.len > 0;
}
