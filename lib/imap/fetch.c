/* FETCH arguments. RFC 3501 6.4.5 and section 9 (fetch-att, section), RFC 7162 3.1.4.
 * SPDX-License-Identifier: ISC */
#include "imap/fetch.h"

#include "base/ascii.h"
#include "base/check.h"
#include "imap/write.h"

static const struct {
	const char *word;
	enum imap_fetch_kind kind;
} PLAIN[] = {
	{"BODYSTRUCTURE", IMAP_FETCH_BODYSTRUCTURE},
	{"ENVELOPE", IMAP_FETCH_ENVELOPE},
	{"FLAGS", IMAP_FETCH_FLAGS},
	{"INTERNALDATE", IMAP_FETCH_INTERNALDATE},
	{"MODSEQ", IMAP_FETCH_MODSEQ},
	{"RFC822.SIZE", IMAP_FETCH_SIZE},
	{"UID", IMAP_FETCH_UID},
};

static const struct {
	const char *word;
	enum imap_section_kind section;
	bool peek;
} OLD[] = {
	{"RFC822.HEADER", IMAP_SECTION_HEADER, true},
	{"RFC822.TEXT", IMAP_SECTION_TEXT, false},
	{"RFC822", IMAP_SECTION_ALL, false},
};

static const struct {
	const char *word;
	enum imap_section_kind kind;
} SECTIONS[] = {
	{"HEADER", IMAP_SECTION_HEADER},
	{"HEADER.FIELDS", IMAP_SECTION_FIELDS},
	{"HEADER.FIELDS.NOT", IMAP_SECTION_FIELDS_NOT},
	{"TEXT", IMAP_SECTION_TEXT},
	{"MIME", IMAP_SECTION_MIME},
};

static const enum imap_fetch_kind FAST[] = {
	IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE, IMAP_FETCH_SIZE};
static const enum imap_fetch_kind ALL[] = {
	IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE, IMAP_FETCH_SIZE, IMAP_FETCH_ENVELOPE};
static const enum imap_fetch_kind FULL[] = {IMAP_FETCH_FLAGS, IMAP_FETCH_INTERNALDATE,
	IMAP_FETCH_SIZE, IMAP_FETCH_ENVELOPE, IMAP_FETCH_BODY};

static const struct {
	const char *word;
	const enum imap_fetch_kind *kinds;
	size_t count;
} MACROS[] = {
	{"FAST", FAST, ARRAY_LEN(FAST)},
	{"ALL", ALL, ARRAY_LEN(ALL)},
	{"FULL", FULL, ARRAY_LEN(FULL)},
};

static struct imap_fetch_item *add_item(
	struct imap_parser *parser, struct imap_fetch *fetch, enum imap_fetch_kind kind)
{
	if (fetch->count >= IMAP_FETCH_ITEMS_MAX) {
		imap_parser_fail(parser, "Too many items");
		return NULL;
	}
	struct imap_fetch_item *items = arena_grow(
		parser->arena, fetch->items, fetch->count, fetch->count + 1, sizeof(*items));
	if (items == NULL) {
		imap_parser_fail(parser, "Command too long");
		return NULL;
	}
	fetch->items = items;
	struct imap_fetch_item *item = &items[fetch->count++];
	*item = (struct imap_fetch_item){.kind = kind};
	return item;
}

static bool parse_parts(struct imap_parser *parser, struct imap_section *section)
{
	uint32_t parts[IMAP_SECTION_DEPTH_MAX];
	size_t count = 0;
	while (parser->rest.len > 0 && ascii_is_digit(parser->rest.ptr[0])) {
		if (count >= IMAP_SECTION_DEPTH_MAX)
			return imap_parser_fail(parser, "Section is too deep");
		if (!imap_parse_nz_number(parser, &parts[count++]))
			return imap_parser_fail(parser, "Invalid section");
		if (!imap_parser_accept(parser, '.'))
			break;
		if (imap_parser_peek(parser, ']'))
			return imap_parser_fail(parser, "Invalid section");
	}
	if (count == 0)
		return true;
	section->parts = ARENA_ARRAY(parser->arena, uint32_t, count);
	if (section->parts == NULL)
		return imap_parser_fail(parser, "Command too long");
	memcpy(section->parts, parts, count * sizeof(parts[0]));
	section->part_count = count;
	return true;
}

static bool parse_fields(struct imap_parser *parser, struct imap_section *section)
{
	size_t room = 0;
	if (!imap_parse_space(parser) || !imap_parse_char(parser, '('))
		return false;
	do {
		struct span name;
		if (!imap_parse_astring(parser, &name) || name.len == 0)
			return imap_parser_fail(parser, "Expected a header name");
		if (section->field_count >= IMAP_SECTION_FIELDS_MAX)
			return imap_parser_fail(parser, "Too many header names");
		if (section->field_count == room) {
			size_t grown = room == 0 ? 8 : room * 2;
			section->fields = arena_grow(parser->arena, section->fields, room, grown,
				sizeof(*section->fields));
			if (section->fields == NULL)
				return imap_parser_fail(parser, "Command too long");
			room = grown;
		}
		section->fields[section->field_count++] = name;
	} while (imap_parser_accept(parser, ' '));
	return imap_parse_char(parser, ')');
}

static bool parse_section(struct imap_parser *parser, struct imap_section *section)
{
	if (!parse_parts(parser, section))
		return false;
	if (imap_parser_accept(parser, ']'))
		return true;
	struct span word;
	if (!imap_parse_atom(parser, &word))
		return imap_parser_fail(parser, "Invalid section");
	for (size_t i = 0; i < ARRAY_LEN(SECTIONS); i++) {
		if (!span_equal_nocase(word, span_from_cstr(SECTIONS[i].word)))
			continue;
		section->kind = SECTIONS[i].kind;
		if (section->kind == IMAP_SECTION_MIME && section->part_count == 0)
			return imap_parser_fail(parser, "MIME needs a part number");
		if ((section->kind == IMAP_SECTION_FIELDS ||
			    section->kind == IMAP_SECTION_FIELDS_NOT) &&
			!parse_fields(parser, section))
			return false;
		return imap_parser_accept(parser, ']') ? true
						       : imap_parser_fail(parser, "Expected ]");
	}
	return imap_parser_fail(parser, "Invalid section");
}

static void write_section(const struct imap_section *section, struct buf *out)
{
	for (size_t i = 0; i < section->part_count; i++) {
		if (i > 0)
			buf_append_char(out, '.');
		buf_append_u64(out, section->parts[i]);
	}
	if (section->kind == IMAP_SECTION_ALL)
		return;
	if (section->part_count > 0)
		buf_append_char(out, '.');
	for (size_t i = 0; i < ARRAY_LEN(SECTIONS); i++)
		if (SECTIONS[i].kind == section->kind)
			buf_append_cstr(out, SECTIONS[i].word);
	if (section->field_count == 0)
		return;
	buf_append_cstr(out, " (");
	for (size_t i = 0; i < section->field_count; i++) {
		if (i > 0)
			buf_append_char(out, ' ');
		imap_write_astring(section->fields[i], out);
	}
	buf_append_char(out, ')');
}

static bool make_label(struct imap_parser *parser, struct imap_fetch_item *item)
{
	struct buf label = BUF_INIT(1024 * 1024);
	buf_append_cstr(&label, "BODY[");
	write_section(&item->section, &label);
	buf_append_char(&label, ']');
	if (item->partial)
		buf_append_format(&label, "<%u>", item->offset);
	item->label = arena_dup(parser->arena, buf_span(&label));
	bool ok = !label.overflow && !parser->arena->overflow;
	buf_done(&label);
	return ok ? true : imap_parser_fail(parser, "Command too long");
}

/* "[" section "]" and a partial have to follow. */
static bool parse_body_section(struct imap_parser *parser, struct imap_fetch_item *item)
{
	if (!imap_parser_accept(parser, '[') || !parse_section(parser, &item->section))
		return imap_parser_fail(parser, "Invalid section");
	if (imap_parser_accept(parser, '<')) {
		if (!imap_parse_number(parser, &item->offset) || !imap_parser_accept(parser, '.') ||
			!imap_parse_nz_number(parser, &item->length) ||
			!imap_parser_accept(parser, '>'))
			return imap_parser_fail(parser, "Invalid partial");
		item->partial = true;
	}
	return make_label(parser, item);
}

static bool parse_body(struct imap_parser *parser, struct imap_fetch *fetch, bool peek)
{
	if (!imap_parser_peek(parser, '[')) {
		if (peek)
			return imap_parser_fail(parser, "BODY.PEEK needs a section");
		return add_item(parser, fetch, IMAP_FETCH_BODY) != NULL;
	}
	struct imap_fetch_item *item = add_item(parser, fetch, IMAP_FETCH_SECTION);
	if (item == NULL)
		return false;
	item->peek = peek;
	return parse_body_section(parser, item);
}

/* The item's name ends where the next byte is no letter, digit or dot. */
static bool accept_name(struct imap_parser *parser, const char *word)
{
	struct span text = span_from_cstr(word);
	if (!span_starts_with_nocase(parser->rest, text))
		return false;
	struct span after = span_skip(parser->rest, text.len);
	if (after.len > 0 && (ascii_is_alnum(after.ptr[0]) || after.ptr[0] == '.'))
		return false;
	parser->rest = after;
	return true;
}

static bool parse_item(struct imap_parser *parser, struct imap_fetch *fetch)
{
	if (accept_name(parser, "BODY.PEEK"))
		return parse_body(parser, fetch, true);
	if (accept_name(parser, "BODY"))
		return parse_body(parser, fetch, false);
	for (size_t i = 0; i < ARRAY_LEN(PLAIN); i++)
		if (accept_name(parser, PLAIN[i].word))
			return add_item(parser, fetch, PLAIN[i].kind) != NULL;
	for (size_t i = 0; i < ARRAY_LEN(OLD); i++) {
		if (!accept_name(parser, OLD[i].word))
			continue;
		struct imap_fetch_item *item = add_item(parser, fetch, IMAP_FETCH_SECTION);
		if (item == NULL)
			return false;
		item->section.kind = OLD[i].section;
		item->peek = OLD[i].peek;
		item->label = span_from_cstr(OLD[i].word);
		return true;
	}
	return imap_parser_fail(parser, "Unknown FETCH item");
}

static bool parse_items(struct imap_parser *parser, struct imap_fetch *fetch)
{
	if (imap_parser_accept(parser, '(')) {
		do {
			if (!parse_item(parser, fetch))
				return false;
		} while (imap_parser_accept(parser, ' '));
		return imap_parse_char(parser, ')');
	}
	for (size_t i = 0; i < ARRAY_LEN(MACROS); i++) {
		if (!accept_name(parser, MACROS[i].word))
			continue;
		for (size_t k = 0; k < MACROS[i].count; k++)
			if (add_item(parser, fetch, MACROS[i].kinds[k]) == NULL)
				return false;
		return true;
	}
	return parse_item(parser, fetch);
}

bool imap_parse_fetch(struct imap_parser *parser, struct imap_fetch *ret_fetch)
{
	*ret_fetch = (struct imap_fetch){0};
	if (!parse_items(parser, ret_fetch))
		return false;
	if (imap_parser_accept(parser, ' ') && parser->rest.len > 0) {
		if (!imap_parse_char(parser, '(') ||
			!imap_parser_accept_word(parser, "CHANGEDSINCE"))
			return imap_parser_fail(parser, "Unknown FETCH modifier");
		/* 0 is not in the grammar, but clients send it. */
		if (!imap_parse_space(parser) ||
			!imap_parse_number64(parser, &ret_fetch->changed_since) ||
			!imap_parse_char(parser, ')'))
			return imap_parser_fail(parser, "Invalid CHANGEDSINCE");
		ret_fetch->changed_since_given = true;
	}
	return imap_parse_end(parser);
}

bool imap_fetch_asks(const struct imap_fetch *fetch, enum imap_fetch_kind kind)
{
	for (size_t i = 0; i < fetch->count; i++)
		if (fetch->items[i].kind == kind)
			return true;
	return false;
}
