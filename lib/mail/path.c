/* Paths of SMTP commands (RFC 5321 section 4.1.2). Declared in address.h; apart from the rest of
 * it, so that who only writes addresses does not link what checks a domain.
 * SPDX-License-Identifier: ISC */
#include "mail/address.h"

#include "base/ascii.h"

struct path_parser {
	struct span in; /* what is left */
	unsigned flags;
	struct buf local;
	bool quoted;
};

static char peek(const struct path_parser *p)
{
	return p->in.len > 0 ? p->in.ptr[0] : '\0';
}

/* RFC 5321 Quoted-string: printable ASCII (or UTF-8), a backslash quotes one of them. */
static enum mail_path_result parse_quoted(struct path_parser *p)
{
	p->in = span_skip(p->in, 1);
	p->quoted = true;
	for (;;) {
		char c = peek(p);
		if (p->in.len == 0 || ascii_is_control(c))
			return MAIL_PATH_SYNTAX;
		p->in = span_skip(p->in, 1);
		if (c == '"')
			return MAIL_PATH_OK;
		if (c == '\\') {
			c = peek(p);
			if (p->in.len == 0 || ascii_is_control(c))
				return MAIL_PATH_SYNTAX;
			p->in = span_skip(p->in, 1);
		}
		buf_append_char(&p->local, c);
	}
}

/* A Dot-string, lenient about where the dots stand ("a..b" exists), or a Quoted-string. */
static enum mail_path_result parse_local(struct path_parser *p)
{
	if (peek(p) == '"')
		return parse_quoted(p);
	while (mail_is_atext(peek(p)) || peek(p) == '.') {
		buf_append_char(&p->local, peek(p));
		p->in = span_skip(p->in, 1);
	}
	return p->local.len > 0 ? MAIL_PATH_OK : MAIL_PATH_SYNTAX;
}

static enum mail_path_result check_domain(struct span domain, unsigned flags)
{
	struct buf name = BUF_INIT(MAIL_DOMAIN_MAX);
	bool good = mail_domain_is_name(domain) || mail_domain_is_literal(domain, NULL) ||
		((flags & MAIL_PATH_UTF8) != 0 && mail_domain_to_ascii(domain, &name));
	buf_done(&name);
	if (domain.len > MAIL_DOMAIN_MAX)
		return MAIL_PATH_TOO_LONG;
	return good ? MAIL_PATH_OK : MAIL_PATH_BAD_DOMAIN;
}

/* "@a,@b:" is skipped when each part is a domain (RFC 5321 section 4.1.1.3 and appendix C). */
static enum mail_path_result skip_route(struct path_parser *p)
{
	while (peek(p) == '@') {
		size_t end = 1;
		while (end < p->in.len && p->in.ptr[end] != ',' && p->in.ptr[end] != ':' &&
			p->in.ptr[end] != '>')
			end++;
		if (end == p->in.len || p->in.ptr[end] == '>')
			return MAIL_PATH_SYNTAX;
		enum mail_path_result result = check_domain(span_part(p->in, 1, end - 1), p->flags);
		if (result != MAIL_PATH_OK)
			return result;
		bool last = p->in.ptr[end] == ':';
		p->in = span_skip(p->in, end + 1);
		if (last)
			return MAIL_PATH_OK;
	}
	return MAIL_PATH_SYNTAX;
}

static enum mail_path_result parse_domain(
	struct path_parser *p, bool angle, struct span *ret_domain)
{
	*ret_domain = SPAN_EMPTY;
	if (peek(p) != '@' || p->in.len == 0) {
		/* "u@v" in quotes alone would become an address of v in the internal form. */
		bool ambiguous = span_find_char(buf_span(&p->local), '@') != SIZE_MAX;
		return (p->flags & MAIL_PATH_NO_DOMAIN) != 0 && !ambiguous ? MAIL_PATH_OK :
									     MAIL_PATH_SYNTAX;
	}
	p->in = span_skip(p->in, 1);
	size_t end = 0;
	while (end < p->in.len && (angle ? p->in.ptr[end] != '>' : p->in.ptr[end] != ' '))
		end++;
	*ret_domain = span_head(p->in, end);
	p->in = span_skip(p->in, end);
	return check_domain(*ret_domain, p->flags);
}

static enum mail_path_result store(const struct path_parser *p, struct span domain,
	struct arena *arena, struct mail_address *ret_address)
{
	size_t local_len = p->local.len;
	size_t len = local_len + (domain.len > 0 ? 1 + domain.len : 0);
	if (p->local.overflow || local_len > MAIL_LOCAL_PART_MAX)
		return MAIL_PATH_TOO_LONG;
	char *full = arena_alloc(arena, len + 1);
	if (full == NULL)
		return MAIL_PATH_TOO_LONG;
	if (local_len > 0)
		memcpy(full, p->local.ptr, local_len);
	if (domain.len > 0) {
		full[local_len] = '@';
		memcpy(full + local_len + 1, domain.ptr, domain.len);
	}
	ret_address->full = span_new(full, len);
	ret_address->local = span_head(ret_address->full, local_len);
	ret_address->domain = span_skip(ret_address->full, domain.len > 0 ? local_len + 1 : len);
	return MAIL_PATH_OK;
}

static enum mail_path_result parse(struct path_parser *p, struct arena *arena,
	struct mail_address *ret_address)
{
	struct span domain;
	enum mail_path_result result;
	bool angle = peek(p) == '<';
	if (!angle && (p->flags & MAIL_PATH_BARE) == 0)
		return MAIL_PATH_SYNTAX;
	if (angle)
		p->in = span_skip(p->in, 1);
	if (angle && peek(p) == '>') {
		p->in = span_skip(p->in, 1);
		if ((p->flags & MAIL_PATH_EMPTY) == 0)
			return MAIL_PATH_IS_EMPTY;
		return store(p, SPAN_EMPTY, arena, ret_address);
	}
	if (peek(p) == '@' && (result = skip_route(p)) != MAIL_PATH_OK)
		return result;
	if ((result = parse_local(p)) != MAIL_PATH_OK)
		return result;
	if ((result = parse_domain(p, angle, &domain)) != MAIL_PATH_OK)
		return result;
	if (angle) {
		if (peek(p) != '>')
			return MAIL_PATH_SYNTAX;
		p->in = span_skip(p->in, 1);
	}
	if (p->in.len > 0 && peek(p) != ' ')
		return MAIL_PATH_SYNTAX;
	return store(p, domain, arena, ret_address);
}

enum mail_path_result mail_path_parse(struct span *input, unsigned flags, struct arena *arena,
	struct mail_address *ret_address)
{
	struct path_parser p = {.in = *input, .flags = flags, .local = BUF_INIT(MAIL_PATH_MAX)};
	while (peek(&p) == ' ')
		p.in = span_skip(p.in, 1);
	struct span start = p.in;
	enum mail_path_result result = parse(&p, arena, ret_address);
	struct span path = span_head(start, start.len - p.in.len);
	if (result == MAIL_PATH_OK) {
		if (path.len > MAIL_PATH_MAX)
			result = MAIL_PATH_TOO_LONG;
		else if ((flags & MAIL_PATH_UTF8) != 0 ? !span_is_utf8(path) : !span_is_ascii(path))
			result = MAIL_PATH_NON_ASCII;
		else
			*input = p.in;
	} else if (result == MAIL_PATH_BAD_DOMAIN && (flags & MAIL_PATH_UTF8) == 0 &&
		!span_is_ascii(path)) {
		result = MAIL_PATH_NON_ASCII;
	}
	buf_done(&p.local);
	return result;
}
