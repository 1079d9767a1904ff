/* Address lists of header fields. See address_list.h. One pass, no recursion, no going back.
 * SPDX-License-Identifier: ISC */
#include "mail/address_list.h"

#include "base/ascii.h"
#include "mail/address.h"

struct list_parser {
	struct span in;
	size_t at;
	struct arena *arena;
	struct address_list *list;
	size_t max, allocated;
	bool in_group;
	struct buf phrase;  /* words joined by one space: a display name or group name */
	struct buf local;   /* the same words as a local part: spaces next to dots are gone */
	struct buf route, domain, comment;
};

static bool at_end(const struct list_parser *p)
{
	return p->at >= p->in.len;
}

static char peek(const struct list_parser *p)
{
	return p->at < p->in.len ? p->in.ptr[p->at] : '\0';
}

/* Folding is dropped, and a NUL, which no reader of an address expects. */
static bool is_text(char c)
{
	return c != '\r' && c != '\n' && c != '\0';
}

/* Reads the comment at the parser into p->comment (the last one counts), escapes removed. */
static void read_comment(struct list_parser *p)
{
	size_t depth = 0;
	buf_reset(&p->comment);
	for (; !at_end(p); p->at++) {
		char c = peek(p);
		if (c == '\\' && p->at + 1 < p->in.len) {
			p->at++;
			c = peek(p);
		} else if (c == '(') {
			if (depth++ == 0)
				continue;
		} else if (c == ')') {
			if (--depth == 0) {
				p->at++;
				return;
			}
		}
		if (is_text(c))
			buf_append_char(&p->comment, c);
	}
}

/* White space and comments; true when there was some. */
static bool skip_cfws(struct list_parser *p)
{
	size_t start = p->at;
	while (!at_end(p)) {
		if (peek(p) == '(')
			read_comment(p);
		else if (ascii_is_space(peek(p)) || peek(p) == '\0')
			p->at++;
		else
			break;
	}
	return p->at > start;
}

static void read_quoted(struct list_parser *p, struct buf *out)
{
	for (p->at++; !at_end(p) && peek(p) != '"'; p->at++) {
		if (peek(p) == '\\' && p->at + 1 < p->in.len)
			p->at++;
		if (is_text(peek(p)))
			buf_append_char(out, peek(p));
	}
	if (!at_end(p))
		p->at++;
}

static bool is_special(char c)
{
	return c != '\0' && strchr("()<>@,;:\"", c) != NULL;
}

static void read_atom(struct list_parser *p, struct buf *out)
{
	while (!at_end(p) && !is_special(peek(p)) && !ascii_is_space(peek(p))) {
		if (peek(p) == '\\' && p->at + 1 < p->in.len)
			p->at++;
		if (is_text(peek(p)))
			buf_append_char(out, peek(p));
		p->at++;
	}
}

static bool ends_with_dot(const struct buf *buf)
{
	return buf->len > 0 && buf->ptr[buf->len - 1] == '.';
}

/* Words up to the next special; appended to phrase (joined by spaces) and to local (as a local
 * part). */
static void read_words(struct list_parser *p)
{
	for (;;) {
		bool space = skip_cfws(p);
		size_t start = p->at;
		if (at_end(p) || (is_special(peek(p)) && peek(p) != '"'))
			return;
		if (p->phrase.len > 0 && space)
			buf_append_char(&p->phrase, ' ');
		if (p->local.len > 0 && space && !ends_with_dot(&p->local) && peek(p) != '.')
			buf_append_char(&p->local, ' ');
		size_t word = p->phrase.len;
		if (peek(p) == '"')
			read_quoted(p, &p->phrase);
		else
			read_atom(p, &p->phrase);
		if (p->phrase.len > word)
			buf_append_bytes(&p->local, p->phrase.ptr + word, p->phrase.len - word);
		if (p->at == start)
			p->at++;
	}
}

/* Behind '@': a domain literal, or atoms; white space only next to dots. */
static void read_domain(struct list_parser *p)
{
	buf_reset(&p->domain);
	skip_cfws(p);
	if (peek(p) == '[') {
		while (!at_end(p) && peek(p) != ']' && peek(p) != '>' && peek(p) != ',') {
			if (!ascii_is_space(peek(p)) && peek(p) != '\0')
				buf_append_char(&p->domain, peek(p));
			p->at++;
		}
		if (peek(p) == ']') {
			buf_append_char(&p->domain, ']');
			p->at++;
		}
		return;
	}
	for (;;) {
		bool space = skip_cfws(p);
		if (at_end(p) || is_special(peek(p)))
			return;
		if (space && p->domain.len > 0 && !ends_with_dot(&p->domain) && peek(p) != '.')
			return;
		read_atom(p, &p->domain);
	}
}

static struct span keep(struct list_parser *p, const struct buf *buf)
{
	return buf->len == 0 ? SPAN_EMPTY : arena_dup(p->arena, buf_span(buf));
}

static void add(struct list_parser *p, const struct address_item *mailbox)
{
	struct address_list *list = p->list;
	if (list->truncated || p->arena->overflow || list->count >= p->max) {
		list->truncated = true;
		return;
	}
	if (list->count == p->allocated) {
		size_t more = p->allocated == 0 ? 4 : p->allocated * 2;
		struct address_item *items = arena_grow(p->arena, list->items, list->count, more,
			sizeof *items);
		if (items == NULL) {
			list->truncated = true;
			return;
		}
		list->items = items;
		p->allocated = more;
	}
	list->items[list->count++] = *mailbox;
}

static void add_address(struct list_parser *p, bool phrase_is_name)
{
	struct address_item mailbox = {.kind = ADDRESS_MAILBOX};
	const struct buf *name = phrase_is_name && p->phrase.len > 0 ? &p->phrase : &p->comment;
	mailbox.name = span_trim(keep(p, name));
	mailbox.has_name = mailbox.name.len > 0;
	mailbox.route = keep(p, &p->route);
	mailbox.has_route = mailbox.route.len > 0;
	mailbox.mailbox = keep(p, &p->local);
	mailbox.host = keep(p, &p->domain);
	add(p, &mailbox);
}

static void reset_item(struct list_parser *p)
{
	buf_reset(&p->phrase);
	buf_reset(&p->local);
	buf_reset(&p->route);
	buf_reset(&p->domain);
	buf_reset(&p->comment);
}

/* "@a,@b:" after '<' (RFC 5322 obs-route). */
static void read_route(struct list_parser *p)
{
	while (peek(p) == '@' || peek(p) == ',') {
		if (peek(p) == ',') {
			p->at++;
			skip_cfws(p);
			continue;
		}
		p->at++;
		read_domain(p);
		buf_append_cstr(&p->route, p->route.len > 0 ? ",@" : "@");
		buf_append(&p->route, buf_span(&p->domain));
		buf_reset(&p->domain);
	}
	if (peek(p) == ':') {
		p->at++;
		return;
	}
	/* It was no route: "<@host>" is an address without a local part. */
	if (p->route.len > 0) {
		buf_append(&p->domain, span_skip(buf_span(&p->route), 1));
		buf_reset(&p->route);
	}
}

/* At '<'. The phrase is the display name already. */
static void read_angle(struct list_parser *p)
{
	struct buf name = p->phrase;
	p->phrase = BUF_INIT(p->in.len);
	buf_reset(&p->local);
	buf_reset(&p->domain);
	p->at++;
	skip_cfws(p);
	if (peek(p) == '@')
		read_route(p);
	read_words(p);
	if (peek(p) == '@') {
		p->at++;
		read_domain(p);
	}
	while (!at_end(p) && peek(p) != '>' && peek(p) != ',' && peek(p) != ';')
		p->at++;
	if (peek(p) == '>')
		p->at++;
	buf_done(&p->phrase);
	p->phrase = name;
	skip_cfws(p);
	add_address(p, true);
	reset_item(p);
	/* What follows up to the comma belongs to nothing. */
	while (!at_end(p) && peek(p) != ',' && peek(p) != ';' && peek(p) != '<') {
		if (peek(p) == '(')
			skip_cfws(p);
		else if (peek(p) == '"')
			read_quoted(p, &p->phrase);
		else
			p->at++;
	}
	reset_item(p);
}

/* At '@' behind a local part: user@domain (comment). */
static void read_plain(struct list_parser *p)
{
	p->at++;
	read_domain(p);
	skip_cfws(p);
	if (peek(p) == '<') {
		/* user@domain <user@domain>: the first one is the name, though it should be quoted.
		 * */
		buf_append_char(&p->phrase, '@');
		buf_append(&p->phrase, buf_span(&p->domain));
		read_angle(p);
		return;
	}
	add_address(p, false);
	while (!at_end(p) && peek(p) != ',' && peek(p) != ';')
		p->at++;
	reset_item(p);
}

static void end_item(struct list_parser *p)
{
	if (p->local.len > 0)
		add_address(p, false);
	reset_item(p);
}

static void end_group(struct list_parser *p)
{
	if (p->in_group)
		add(p, &(struct address_item){.kind = ADDRESS_GROUP_END});
	p->in_group = false;
}

static void start_group(struct list_parser *p)
{
	if (!p->in_group) {
		struct address_item mailbox = {.kind = ADDRESS_GROUP_START};
		mailbox.mailbox = keep(p, &p->phrase);
		p->in_group = true;
		add(p, &mailbox);
	}
	reset_item(p);
}

static void parse_list(struct list_parser *p)
{
	while (!at_end(p) && !p->list->truncated) {
		read_words(p);
		if (at_end(p))
			break;
		switch (peek(p)) {
		case '<':
			read_angle(p);
			break;
		case '@':
			read_plain(p);
			break;
		case ':':
			p->at++;
			start_group(p);
			break;
		case ';':
			p->at++;
			end_item(p);
			end_group(p);
			break;
		case ',':
			p->at++;
			end_item(p);
			break;
		default:
			p->at++;
		}
	}
	end_item(p);
	end_group(p);
}

void address_list_parse(struct span value, size_t max, struct arena *arena,
	struct address_list *ret_list)
{
	struct list_parser p = {.in = value, .arena = arena, .list = ret_list, .max = max};
	size_t cap = value.len * 2 + 4;
	*ret_list = (struct address_list){.items = NULL};
	buf_init(&p.phrase, cap);
	buf_init(&p.local, cap);
	buf_init(&p.route, cap);
	buf_init(&p.domain, cap);
	buf_init(&p.comment, cap);
	parse_list(&p);
	buf_done(&p.phrase);
	buf_done(&p.local);
	buf_done(&p.route);
	buf_done(&p.domain);
	buf_done(&p.comment);
}

static bool is_phrase_text(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c >= 128 ||
		(c != '\0' && strchr(" !#$%&'*+-/=?^_`{|}~", c) != NULL);
}

void mail_phrase_quote(struct span phrase, struct buf *out)
{
	bool plain = phrase.len > 0 && phrase.ptr[0] != ' ' && phrase.ptr[phrase.len - 1] != ' ';
	for (size_t i = 0; plain && i < phrase.len; i++)
		plain = is_phrase_text(phrase.ptr[i]);
	if (plain)
		buf_append(out, phrase);
	else
		mail_quoted_string(phrase, ' ', out);
}

void address_item_format(const struct address_item *mailbox, struct buf *out)
{
	if (mailbox->has_name) {
		mail_phrase_quote(mailbox->name, out);
		buf_append_cstr(out, " <");
	}
	mail_local_part_quote(mailbox->mailbox, out);
	if (mailbox->host.len > 0) {
		buf_append_char(out, '@');
		buf_append(out, mailbox->host);
	}
	if (mailbox->has_name)
		buf_append_char(out, '>');
}

void address_item_address(const struct address_item *mailbox, struct buf *out)
{
	buf_append(out, mailbox->mailbox);
	if (mailbox->host.len > 0) {
		buf_append_char(out, '@');
		buf_append(out, mailbox->host);
	}
}
