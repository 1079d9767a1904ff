/* MIME parameters and RFC 2231. See mime_parameter.h.
 * SPDX-License-Identifier: ISC */
#include "mail/mime_parameter.h"

#include "base/ascii.h"
#include "mail/charset.h"
#include "mail/encoded_word.h"

#define INDEX_NONE UINT32_MAX
#define INDEX_MAX 999

struct piece {
	struct span name;  /* base name, as written */
	uint32_t index;    /* of a continuation, or INDEX_NONE */
	bool extended;     /* "name*" or "name*0*": percent-encoded */
	bool used;
	struct span value;
};

struct cursor {
	struct span in;
	size_t at;
	struct arena *arena;
	struct buf scratch;
};

static char peek(const struct cursor *c)
{
	return c->at < c->in.len ? c->in.ptr[c->at] : '\0';
}

static bool at_end(const struct cursor *c)
{
	return c->at >= c->in.len;
}

static void skip_comment(struct cursor *c)
{
	size_t depth = 0;
	for (; !at_end(c); c->at++) {
		if (peek(c) == '\\')
			c->at++;
		else if (peek(c) == '(')
			depth++;
		else if (peek(c) == ')' && --depth == 0) {
			c->at++;
			return;
		}
	}
	c->at = c->in.len;
}

static void skip_cfws(struct cursor *c)
{
	while (!at_end(c)) {
		if (peek(c) == '(')
			skip_comment(c);
		else if (ascii_is_space(peek(c)) || peek(c) == '\0')
			c->at++;
		else
			return;
	}
}

static struct span scratch_keep(struct cursor *c)
{
	return arena_dup(c->arena, buf_span(&c->scratch));
}

/* A quoted string, or everything up to ';' (white space at the ends and comments behind it
 * dropped). */
static struct span read_value(struct cursor *c)
{
	buf_reset(&c->scratch);
	skip_cfws(c);
	if (peek(c) == '"') {
		for (c->at++; !at_end(c) && peek(c) != '"'; c->at++) {
			if (peek(c) == '\\' && c->at + 1 < c->in.len)
				c->at++;
			if (!ascii_is_control(peek(c)) || peek(c) == '\t')
				buf_append_char(&c->scratch, peek(c));
		}
		c->at++;
	} else {
		while (!at_end(c) && peek(c) != ';' && peek(c) != '(') {
			if (!ascii_is_control(peek(c)))
				buf_append_char(&c->scratch, peek(c));
			c->at++;
		}
	}
	while (!at_end(c) && peek(c) != ';') {
		if (peek(c) == '(')
			skip_comment(c);
		else
			c->at++;
	}
	return span_trim(scratch_keep(c));
}

static struct span read_name(struct cursor *c)
{
	buf_reset(&c->scratch);
	while (!at_end(c) && peek(c) != '=' && peek(c) != ';') {
		if (peek(c) == '(')
			skip_comment(c);
		else if (ascii_is_graph(peek(c)))
			buf_append_char(&c->scratch, ascii_lower(c->in.ptr[c->at++]));
		else
			c->at++;
	}
	return scratch_keep(c);
}

/* "name", "name*", "name*3", "name*3*" (RFC 2231 section 3 and 4). */
static void split_name(struct piece *piece)
{
	struct span name = piece->name;
	size_t star = span_find_char(name, '*');
	uint64_t index;
	piece->index = INDEX_NONE;
	if (star == SIZE_MAX || star == 0)
		return;
	struct span rest = span_skip(name, star + 1);
	bool extended = rest.len == 0 || rest.ptr[rest.len - 1] == '*';
	if (extended && rest.len > 0)
		rest.len--;
	if (rest.len > 0) {
		if (!span_to_u64(rest, INDEX_MAX, &index))
			return;
		piece->index = (uint32_t)index;
	}
	piece->extended = extended;
	piece->name = span_head(name, star);
}

static size_t read_pieces(struct cursor *c, struct piece *pieces)
{
	size_t count = 0;
	while (!at_end(c) && count < MIME_PARAMETERS_MAX && !c->arena->overflow) {
		if (peek(c) == ';') {
			c->at++;
			continue;
		}
		struct piece piece = {.name = read_name(c)};
		if (peek(c) != '=')
			continue;
		c->at++;
		piece.value = read_value(c);
		split_name(&piece);
		if (piece.name.len > 0)
			pieces[count++] = piece;
	}
	return count;
}

static struct piece *find_piece(
	struct piece *pieces, size_t count, struct span name, uint32_t index)
{
	for (size_t i = 0; i < count; i++)
		if (pieces[i].index == index && !pieces[i].used && span_equal(pieces[i].name, name))
			return &pieces[i];
	return NULL;
}

static void append_percent(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (ascii_is_alnum(c) || (c != '\0' && strchr("!#$&+-.^_`{|}~", c) != NULL))
			buf_append_char(out, c);
		else
			buf_append_format(out, "%%%02X", (unsigned char)c);
	}
}

/* Pieces 0, 1, 2 ... of one name as one value. One extended piece makes the whole extended. */
static void join(struct piece *pieces, size_t count, struct span name, struct cursor *c,
	struct mime_parameter *ret_parameter)
{
	struct piece *piece;
	struct piece *parts[MIME_PARAMETERS_MAX];
	size_t part_count = 0;
	bool extended = false;
	while ((piece = find_piece(pieces, count, name, (uint32_t)part_count)) != NULL) {
		piece->used = true;
		extended = extended || piece->extended;
		parts[part_count++] = piece;
	}
	struct buf joined = BUF_INIT(MIME_VALUE_MAX);
	if (extended && !parts[0]->extended)
		buf_append_cstr(&joined, "''");
	for (size_t i = 0; i < part_count; i++) {
		if (extended && !parts[i]->extended)
			append_percent(parts[i]->value, &joined);
		else
			buf_append(&joined, parts[i]->value);
	}
	buf_reset(&c->scratch);
	buf_append(&c->scratch, name);
	if (extended)
		buf_append_char(&c->scratch, '*');
	ret_parameter->name = scratch_keep(c);
	ret_parameter->value = arena_dup(c->arena, buf_span(&joined));
	buf_done(&joined);
}

static void build(
	struct piece *pieces, size_t count, struct cursor *c, struct mime_value *ret_value)
{
	ret_value->parameters = ARENA_ARRAY(c->arena, struct mime_parameter, count);
	if (ret_value->parameters == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		struct mime_parameter *parameter =
			&ret_value->parameters[ret_value->parameter_count];
		if (pieces[i].used)
			continue;
		if (pieces[i].index == INDEX_NONE) {
			buf_reset(&c->scratch);
			buf_append(&c->scratch, pieces[i].name);
			if (pieces[i].extended)
				buf_append_char(&c->scratch, '*');
			parameter->name = scratch_keep(c);
			parameter->value = pieces[i].value;
		} else if (find_piece(pieces, count, pieces[i].name, 0) != NULL) {
			join(pieces, count, pieces[i].name, c, parameter);
		} else {
			continue;
		}
		ret_value->parameter_count++;
	}
}

void mime_value_parse(struct span value, struct arena *arena, struct mime_value *ret_value)
{
	struct cursor c = {.in = value, .arena = arena, .scratch = BUF_INIT(value.len + 2)};
	struct piece pieces[MIME_PARAMETERS_MAX];
	*ret_value = (struct mime_value){.token = SPAN_EMPTY};
	skip_cfws(&c);
	while (!at_end(&c) && peek(&c) != ';') {
		if (peek(&c) == '(') {
			skip_comment(&c);
			continue;
		}
		if (!ascii_is_control(peek(&c)))
			buf_append_char(&c.scratch, peek(&c));
		c.at++;
	}
	ret_value->token = span_trim(scratch_keep(&c));
	size_t count = read_pieces(&c, pieces);
	if (count > 0)
		build(pieces, count, &c, ret_value);
	buf_done(&c.scratch);
}

static const struct mime_parameter *find(
	const struct mime_value *value, struct span name, bool extended)
{
	for (size_t i = 0; i < value->parameter_count; i++) {
		const struct mime_parameter *p = &value->parameters[i];
		bool star = p->name.len > 0 && p->name.ptr[p->name.len - 1] == '*';
		if (star == extended &&
			span_equal_nocase(span_head(p->name, p->name.len - star), name))
			return p;
	}
	return NULL;
}

static void decode_percent(struct span text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%' && i + 2 < text.len && ascii_hex_value(text.ptr[i + 1]) >= 0 &&
			ascii_hex_value(text.ptr[i + 2]) >= 0) {
			c = (char)(ascii_hex_value(text.ptr[i + 1]) * 16 +
				   ascii_hex_value(text.ptr[i + 2]));
			i += 2;
		}
		buf_append_char(out, c);
	}
}

/* "charset'language'%XX..." */
static void decode_extended(struct span value, struct buf *out)
{
	struct span rest = value;
	struct span charset = span_split(&rest, '\'');
	if (rest.ptr == NULL)
		rest = value, charset = SPAN_EMPTY;
	else
		span_split(&rest, '\'');
	if (rest.ptr == NULL)
		rest = SPAN_EMPTY;
	struct buf bytes = BUF_INIT(rest.len + 1);
	decode_percent(rest, &bytes);
	if (!charset_to_utf8(charset, buf_span(&bytes), out))
		utf8_clean(buf_span(&bytes), out);
	buf_done(&bytes);
}

bool mime_parameter_text(const struct mime_value *value, struct span name, struct buf *out)
{
	const struct mime_parameter *p = find(value, name, true);
	if (p != NULL) {
		decode_extended(p->value, out);
		return true;
	}
	p = find(value, name, false);
	if (p == NULL)
		return false;
	encoded_word_decode(p->value, out);
	return true;
}

bool mime_parameter_get(const struct mime_value *value, struct span name, struct span *ret_value)
{
	const struct mime_parameter *p = find(value, name, false);
	if (p == NULL)
		return false;
	*ret_value = p->value;
	return true;
}
