/* One pass over the lines of a message: a stack of open parts, the boundaries of the open
 * multiparts, and for every position its offset as stored, as sent, and its line number. See
 * mime.h.
 * SPDX-License-Identifier: ISC */
#include "mail/mime.h"

#include "base/ascii.h"
#include "base/check.h"
#include "mail/header.h"

#define BOUNDARY_MAX 998 /* RFC 2046 allows 70; what stands on one line can match */

struct position {
	uint64_t offset, crlf;
	uint32_t lines;
};

struct open_part {
	struct mime_part *part;
	struct span boundary; /* of a multipart still open; empty otherwise */
};

struct mime_parser {
	struct span message;
	struct arena *arena;
	struct mime_message *result;
	struct open_part stack[MIME_DEPTH_MAX];
	size_t depth;         /* parts on the stack; the top is the one being read */
	bool in_header;       /* of the top part */
	struct position here; /* beginning of the line being read */
	struct position before; /* the same, without the line end before it */
};

static void extent_end(struct mime_extent *extent, const struct position *start,
	const struct position *end)
{
	bool negative = end->offset < start->offset;
	extent->offset = start->offset;
	extent->crlf_offset = start->crlf;
	extent->size = negative ? 0 : end->offset - start->offset;
	extent->crlf_size = negative ? 0 : end->crlf - start->crlf;
	extent->lines = negative ? 0 : end->lines - start->lines;
}

static struct position extent_start(const struct mime_extent *extent)
{
	return (struct position){extent->offset, extent->crlf_offset, extent->lines};
}

/* Until an extent ends, its lines member holds the line number of its start. */
static void extent_open(struct mime_extent *extent, const struct position *start)
{
	*extent = (struct mime_extent){.offset = start->offset, .crlf_offset = start->crlf,
		.lines = start->lines};
}

static struct span clean_value(struct mime_parser *p, struct span value)
{
	struct buf line = BUF_INIT(MIME_VALUE_MAX);
	header_unfold_clean(span_head(value, MIME_VALUE_MAX), &line);
	struct span kept = arena_dup(p->arena, buf_span(&line));
	buf_done(&line);
	return kept;
}

static struct span lower_copy(struct mime_parser *p, struct span text)
{
	char *copy = arena_alloc(p->arena, text.len + 1);
	if (copy == NULL)
		return SPAN_EMPTY;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = ascii_lower(text.ptr[i]);
	return span_new(copy, text.len);
}

static bool is_token(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_graph(s.ptr[i]) || strchr("()<>@,;:\\\"/[]?=", s.ptr[i]) != NULL)
			return false;
	return s.len > 0;
}

static bool type_is(const struct mime_part *part, const char *type, const char *subtype)
{
	return span_equal(part->type, span_from_cstr(type)) &&
		(subtype == NULL || span_equal(part->subtype, span_from_cstr(subtype)));
}

static void default_type(struct mime_part *part)
{
	bool digest = part->parent != NULL && type_is(part->parent, "multipart", "digest");
	part->type = digest ? SPAN("message") : SPAN("text");
	part->subtype = digest ? SPAN("rfc822") : SPAN("plain");
}

static void take_type(struct mime_parser *p, struct mime_part *part, struct span value)
{
	mime_value_parse(value, p->arena, &part->content_type);
	struct span subtype = part->content_type.token;
	struct span type = span_trim(span_split(&subtype, '/'));
	if (subtype.ptr == NULL)
		subtype = SPAN_EMPTY;
	subtype = span_trim(subtype);
	if (!is_token(type) || !is_token(subtype))
		return;
	type = lower_copy(p, type);
	subtype = lower_copy(p, subtype);
	if (p->arena->overflow)
		return;
	part->type = type;
	part->subtype = subtype;
}

/* Content-Language: a list of tags. */
static void take_languages(struct mime_parser *p, struct mime_part *part, struct span value)
{
	struct span rest = clean_value(p, value), tag, found[16];
	size_t count = 0;
	while (count < ARRAY_LEN(found) && span_token(&rest, ", \t", &tag))
		found[count++] = tag;
	part->languages = ARENA_ARRAY(p->arena, struct span, count);
	if (part->languages == NULL || count == 0)
		return;
	memcpy(part->languages, found, count * sizeof *found);
	part->language_count = count;
}

static void take_content_field(struct mime_parser *p, struct mime_part *part,
	const struct header_field *field)
{
	struct span what = span_skip(field->name, 8);
	const struct {
		const char *name;
		struct span *target;
	} texts[] = {{"ID", &part->id}, {"Description", &part->description}, {"MD5", &part->md5},
		{"Location", &part->location}};
	if (span_equal_nocase(what, SPAN("Type")) && part->content_type.token.ptr == NULL) {
		take_type(p, part, field->value);
	} else if (span_equal_nocase(what, SPAN("Disposition")) && !part->has_disposition) {
		mime_value_parse(field->value, p->arena, &part->disposition);
		part->has_disposition = part->disposition.token.len > 0;
	} else if (span_equal_nocase(what, SPAN("Transfer-Encoding")) &&
		   part->encoding_text.ptr == NULL) {
		/* Only the token: a comment may stand behind it. */
		struct mime_value value;
		mime_value_parse(field->value, p->arena, &value);
		part->encoding_text = value.token;
	} else if (span_equal_nocase(what, SPAN("Language")) && part->language_count == 0) {
		take_languages(p, part, field->value);
	}
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].target->ptr == NULL &&
			span_equal_nocase(what, span_from_cstr(texts[i].name)))
			*texts[i].target = clean_value(p, field->value);
}

static void read_fields(struct mime_parser *p, struct mime_part *part)
{
	struct header_reader reader;
	struct header_field field;
	part->content_type.token.ptr = NULL;
	part->encoding_text = part->id = part->description = part->md5 = part->location =
		(struct span){NULL, 0};
	default_type(part);
	header_reader_init(&reader, mime_extent_span(p->message, &part->header));
	while (header_next(&reader, &field) == HEADER_FIELD && !p->arena->overflow) {
		if (field.valid && span_starts_with_nocase(field.name, SPAN("Content-")))
			take_content_field(p, part, &field);
		else if (part->parent == NULL &&
			 span_equal_nocase(field.name, SPAN("MIME-Version")))
			p->result->has_mime_version = true;
	}
	if (part->content_type.token.ptr == NULL)
		part->content_type.token = SPAN_EMPTY;
	if (part->encoding_text.ptr == NULL || part->encoding_text.len == 0)
		part->encoding_text = SPAN("7BIT");
	part->encoding = transfer_encoding_parse(part->encoding_text);
}

/* A new part under parent (NULL: the root) whose header begins here; false when a limit is met. */
static bool push_part(struct mime_parser *p, struct mime_part *parent)
{
	struct mime_part *part = NULL;
	if (p->depth < MIME_DEPTH_MAX && p->result->part_count < MIME_PARTS_MAX)
		part = ARENA_NEW(p->arena, struct mime_part);
	if (part == NULL) {
		p->result->truncated = true;
		return false;
	}
	part->parent = parent;
	if (parent == NULL) {
		p->result->root = part;
	} else {
		if (parent->last_child == NULL)
			parent->first_child = part;
		else
			parent->last_child->next = part;
		parent->last_child = part;
		parent->child_count++;
	}
	p->result->part_count++;
	p->stack[p->depth++] = (struct open_part){part, SPAN_EMPTY};
	extent_open(&part->header, &p->here);
	p->in_header = true;
	return true;
}

static void begin_message(struct mime_parser *p, struct mime_part *part);

static void begin_multipart(struct mime_parser *p, struct mime_part *part)
{
	struct span boundary;
	part->kind = MIME_MULTIPART;
	if (mime_parameter_get(&part->content_type, SPAN("boundary"), &boundary) &&
		boundary.len > 0 && boundary.len <= BOUNDARY_MAX)
		p->stack[p->depth - 1].boundary = boundary;
}

static bool says_encoded(const struct mime_part *part)
{
	return part->encoding == TRANSFER_BASE64 || part->encoding == TRANSFER_QUOTED_PRINTABLE;
}

/* The header of the top part ends here: what is it? */
static void end_header(struct mime_parser *p, const struct position *end)
{
	struct mime_part *part = p->stack[p->depth - 1].part;
	struct position start = extent_start(&part->header);
	if (end->offset < start.offset) /* an empty one in front of a boundary */
		end = &start;
	extent_end(&part->header, &start, end);
	extent_open(&part->body, end);
	p->in_header = false;
	read_fields(p, part);
	/* RFC 2045 section 6.4 forbids encoding a composite. A message that says it is encoded is an
	 * opaque part; a multipart that does mostly is not, its boundaries tell. */
	if (type_is(part, "multipart", NULL))
		begin_multipart(p, part);
	else if (type_is(part, "message", "rfc822") && !says_encoded(part))
		begin_message(p, part);
}

static void begin_message(struct mime_parser *p, struct mime_part *part)
{
	struct position here = p->here;
	p->here = (struct position){part->body.offset, part->body.crlf_offset, part->body.lines};
	if (push_part(p, part))
		part->kind = MIME_MESSAGE;
	p->here = here;
}

/* The message inside is complete as far as its header is: what ENVELOPE needs. */
static void finish_message(struct mime_parser *p, struct mime_part *part)
{
	struct envelope *envelope = ARENA_NEW(p->arena, struct envelope);
	if (envelope == NULL || part->first_child == NULL) {
		part->kind = MIME_SINGLE;
		part->first_child = part->last_child = NULL;
		part->child_count = 0;
		p->result->truncated = true;
		return;
	}
	envelope_parse(
		mime_extent_span(p->message, &part->first_child->header), p->arena, envelope);
	part->envelope = envelope;
}

static void pop_part(struct mime_parser *p, const struct position *end)
{
	if (p->in_header)
		end_header(p, end);
	/* end_header may have pushed the empty message inside: it is on top then, in its header. */
	while (p->in_header)
		end_header(p, end);
	struct mime_part *part = p->stack[--p->depth].part;
	struct position start = extent_start(&part->body);
	extent_end(&part->body, &start, end);
	if (part->kind == MIME_MESSAGE)
		finish_message(p, part);
	else if (part->kind == MIME_MULTIPART && part->first_child == NULL && says_encoded(part))
		part->kind = MIME_SINGLE;
}

/* How a line compares with "--boundary": 0 not, 1 delimiter, 2 close delimiter. */
static int match_boundary(struct span line, struct span boundary)
{
	struct span rest = span_skip(line, 2);
	if (boundary.len == 0 || !span_starts_with(rest, boundary))
		return 0;
	rest = span_skip(rest, boundary.len);
	bool close = span_starts_with(rest, SPAN("--"));
	if (close)
		rest = span_skip(rest, 2);
	for (size_t i = 0; i < rest.len; i++)
		if (rest.ptr[i] != ' ' && rest.ptr[i] != '\t')
			return 0;
	return close ? 2 : 1;
}

/* line: without its line end. True when it was a boundary of an open multipart. */
static bool take_boundary(struct mime_parser *p, struct span line, const struct position *behind)
{
	int match = 0;
	size_t level = p->depth;
	while (level > 0 && (match = match_boundary(line, p->stack[level - 1].boundary)) == 0)
		level--;
	if (match == 0)
		return false;
	while (p->depth > level)
		pop_part(p, &p->before);
	if (p->in_header) /* cannot be: a multipart with a boundary has ended its header */
		end_header(p, &p->here);
	if (match == 2) {
		p->stack[level - 1].boundary = SPAN_EMPTY;
		return true;
	}
	p->here = *behind;
	push_part(p, p->stack[level - 1].part);
	return true;
}

static void take_line(struct mime_parser *p, struct span raw)
{
	struct span line = raw;
	bool lf = line.len > 0 && line.ptr[line.len - 1] == '\n';
	line.len -= lf;
	bool cr = lf && line.len > 0 && line.ptr[line.len - 1] == '\r';
	line.len -= cr;
	struct position content_end = {p->here.offset + line.len, p->here.crlf + line.len,
		p->here.lines};
	struct position behind = {p->here.offset + raw.len, content_end.crlf + (lf ? 2 : 0),
		p->here.lines + lf};
	bool boundary = line.len > 2 && line.ptr[0] == '-' && line.ptr[1] == '-' &&
		take_boundary(p, line, &behind);
	if (!boundary && p->in_header && line.len == 0)
		end_header(p, &behind);
	p->here = behind;
	p->before = content_end;
}

/* Lines of a body, up to one that may be a boundary: most of most messages. */
static void skip_text(struct mime_parser *p)
{
	const char *start = p->message.ptr + p->here.offset;
	const char *end = p->message.ptr + p->message.len, *at = start;
	uint64_t crlf = 0;
	uint32_t lines = 0;
	while (at < end && *at != '-') {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		if (lf == NULL)
			break;
		crlf += lf > at && lf[-1] == '\r' ? 0 : 1;
		lines++;
		at = lf + 1;
	}
	if (at == start)
		return;
	uint64_t length = (uint64_t)(at - start);
	p->here.offset += length;
	p->here.crlf += length + crlf;
	p->here.lines += lines;
	/* In front of the last line end. */
	p->before = (struct position){p->here.offset - 1 - (at - start > 1 && at[-2] == '\r'),
		p->here.crlf - 2, p->here.lines - 1};
}

bool mime_parse(struct span message, struct arena *arena, struct mime_message *ret_message)
{
	struct mime_message result = {.root = NULL};
	struct mime_parser p = {.message = message, .arena = arena, .result = &result};
	if (!push_part(&p, NULL))
		return false;
	while (p.here.offset < message.len) {
		if (!p.in_header)
			skip_text(&p);
		struct span rest = span_skip(message, (size_t)p.here.offset);
		if (rest.len == 0)
			break;
		size_t end = span_find_char(rest, '\n');
		take_line(&p, end == SIZE_MAX ? rest : span_head(rest, end + 1));
	}
	while (p.depth > 0)
		pop_part(&p, &p.here);
	result.crlf_size = p.here.crlf;
	result.lines = p.here.lines;
	result.truncated = result.truncated || arena->overflow;
	*ret_message = result;
	return true;
}

bool mime_part_is_attachment(const struct mime_part *part)
{
	struct span name;
	if (part->kind == MIME_MULTIPART)
		return false;
	if (part->has_disposition && span_equal_nocase(part->disposition.token, SPAN("attachment")))
		return true;
	bool named = mime_parameter_get(&part->disposition, SPAN("filename"), &name) ||
		mime_parameter_get(&part->disposition, SPAN("filename*"), &name) ||
		mime_parameter_get(&part->content_type, SPAN("name"), &name);
	return named && !(part->has_disposition &&
				span_equal_nocase(part->disposition.token, SPAN("inline")) &&
				type_is(part, "text", NULL));
}
