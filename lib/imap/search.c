/* SEARCH arguments. RFC 3501 6.4.4 and section 9 (search-key), RFC 7162 3.1.5.
 * SPDX-License-Identifier: ISC */
#include "imap/search.h"

#include "base/ascii.h"
#include "base/check.h"
#include "imap/date.h"

enum argument {
	NOTHING,
	ONE_STRING,
	ONE_DATE,
	ONE_NUMBER,
	ONE_KEYWORD,
	ONE_SET,
	HEADER_ARGUMENTS,
	ONE_KEY,
	TWO_KEYS,
	MODSEQ_ARGUMENTS
};

struct row {
	const char *word;
	enum imap_search_kind kind;
	enum argument argument;
	unsigned flags; /* IMAP_SEARCH_FLAG */
	bool negated;
	const char *name; /* IMAP_SEARCH_HEADER */
};

static const struct row ROWS[] = {
	{"ALL", IMAP_SEARCH_ALL, NOTHING, 0, false, NULL},
	{"ANSWERED", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_ANSWERED, false, NULL},
	{"BCC", IMAP_SEARCH_HEADER, ONE_STRING, 0, false, "Bcc"},
	{"BEFORE", IMAP_SEARCH_BEFORE, ONE_DATE, 0, false, NULL},
	{"BODY", IMAP_SEARCH_BODY, ONE_STRING, 0, false, NULL},
	{"CC", IMAP_SEARCH_HEADER, ONE_STRING, 0, false, "Cc"},
	{"DELETED", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_DELETED, false, NULL},
	{"DRAFT", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_DRAFT, false, NULL},
	{"FLAGGED", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_FLAGGED, false, NULL},
	{"FROM", IMAP_SEARCH_HEADER, ONE_STRING, 0, false, "From"},
	{"HEADER", IMAP_SEARCH_HEADER, HEADER_ARGUMENTS, 0, false, NULL},
	{"KEYWORD", IMAP_SEARCH_KEYWORD, ONE_KEYWORD, 0, false, NULL},
	{"LARGER", IMAP_SEARCH_LARGER, ONE_NUMBER, 0, false, NULL},
	{"MODSEQ", IMAP_SEARCH_MODSEQ, MODSEQ_ARGUMENTS, 0, false, NULL},
	{"NEW", IMAP_SEARCH_AND, NOTHING, 0, false, NULL}, /* see parse_new */
	{"NOT", IMAP_SEARCH_NOT, ONE_KEY, 0, false, NULL},
	{"OLD", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_RECENT, true, NULL},
	{"ON", IMAP_SEARCH_ON, ONE_DATE, 0, false, NULL},
	{"OR", IMAP_SEARCH_OR, TWO_KEYS, 0, false, NULL},
	{"RECENT", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_RECENT, false, NULL},
	{"SEEN", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_SEEN, false, NULL},
	{"SENTBEFORE", IMAP_SEARCH_SENT_BEFORE, ONE_DATE, 0, false, NULL},
	{"SENTON", IMAP_SEARCH_SENT_ON, ONE_DATE, 0, false, NULL},
	{"SENTSINCE", IMAP_SEARCH_SENT_SINCE, ONE_DATE, 0, false, NULL},
	{"SINCE", IMAP_SEARCH_SINCE, ONE_DATE, 0, false, NULL},
	{"SMALLER", IMAP_SEARCH_SMALLER, ONE_NUMBER, 0, false, NULL},
	{"SUBJECT", IMAP_SEARCH_HEADER, ONE_STRING, 0, false, "Subject"},
	{"TEXT", IMAP_SEARCH_TEXT, ONE_STRING, 0, false, NULL},
	{"TO", IMAP_SEARCH_HEADER, ONE_STRING, 0, false, "To"},
	{"UID", IMAP_SEARCH_UID, ONE_SET, 0, false, NULL},
	{"UNANSWERED", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_ANSWERED, true, NULL},
	{"UNDELETED", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_DELETED, true, NULL},
	{"UNDRAFT", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_DRAFT, true, NULL},
	{"UNFLAGGED", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_FLAGGED, true, NULL},
	{"UNKEYWORD", IMAP_SEARCH_KEYWORD, ONE_KEYWORD, 0, true, NULL},
	{"UNSEEN", IMAP_SEARCH_FLAG, NOTHING, IMAP_FLAG_SEEN, true, NULL},
};

struct limits {
	unsigned depth;
	size_t keys;
	bool modseq;
};

static struct imap_search_key *parse_key(struct imap_parser *parser, struct limits *limits);

static struct imap_search_key *new_key(
	struct imap_parser *parser, struct limits *limits, enum imap_search_kind kind)
{
	if (++limits->keys > IMAP_SEARCH_KEYS_MAX) {
		imap_parser_fail(parser, "Too many search keys");
		return NULL;
	}
	struct imap_search_key *key = ARENA_NEW(parser->arena, struct imap_search_key);
	if (key == NULL)
		imap_parser_fail(parser, "Command too long");
	else
		key->kind = kind;
	return key;
}

static bool parse_modseq(struct imap_parser *parser, struct imap_search_key *key)
{
	if (imap_parser_peek(parser, '"')) {
		struct span entry;
		if (!imap_parse_string(parser, &entry) || !imap_parse_space(parser))
			return false;
		if (!imap_parser_accept_word(parser, "all") &&
			!imap_parser_accept_word(parser, "priv") &&
			!imap_parser_accept_word(parser, "shared"))
			return imap_parser_fail(parser, "Invalid MODSEQ entry type");
		if (!imap_parse_space(parser))
			return false;
	}
	return imap_parse_number64(parser, &key->number);
}

static bool parse_children(struct imap_parser *parser, struct limits *limits,
	struct imap_search_key *key, unsigned count)
{
	struct imap_search_key **place = &key->child;
	for (unsigned i = 0; i < count; i++) {
		if (i > 0 && !imap_parse_space(parser))
			return false;
		*place = parse_key(parser, limits);
		if (*place == NULL)
			return false;
		place = &(*place)->next;
	}
	return true;
}

static bool parse_argument(struct imap_parser *parser, struct limits *limits, const struct row *row,
	struct imap_search_key *key)
{
	if (row->argument != NOTHING && !imap_parse_space(parser))
		return false;
	switch (row->argument) {
	case NOTHING:
		return true;
	case ONE_STRING:
		return imap_parse_astring(parser, &key->text);
	case ONE_DATE:
		return imap_parse_date(parser, &key->day);
	case ONE_NUMBER:
		return imap_parse_number64(parser, &key->number);
	case ONE_KEYWORD:
		return imap_parse_atom(parser, &key->text);
	case ONE_SET:
		return imap_parse_set(parser, &key->set);
	case HEADER_ARGUMENTS:
		return imap_parse_astring(parser, &key->name) && imap_parse_space(parser) &&
		       imap_parse_astring(parser, &key->text);
	case ONE_KEY:
		return parse_children(parser, limits, key, 1);
	case TWO_KEYS:
		return parse_children(parser, limits, key, 2);
	case MODSEQ_ARGUMENTS:
		limits->modseq = true;
		return parse_modseq(parser, key);
	}
	return false;
}

static struct imap_search_key *negate(
	struct imap_parser *parser, struct limits *limits, struct imap_search_key *key)
{
	struct imap_search_key *not_key = new_key(parser, limits, IMAP_SEARCH_NOT);
	if (not_key != NULL)
		not_key->child = key;
	return not_key;
}

/* NEW is RECENT UNSEEN. */
static struct imap_search_key *parse_new(
	struct imap_parser *parser, struct limits *limits, struct imap_search_key *both)
{
	struct imap_search_key *recent = new_key(parser, limits, IMAP_SEARCH_FLAG);
	struct imap_search_key *seen = new_key(parser, limits, IMAP_SEARCH_FLAG);
	if (recent == NULL || seen == NULL)
		return NULL;
	recent->flags = IMAP_FLAG_RECENT;
	seen->flags = IMAP_FLAG_SEEN;
	both->child = recent;
	recent->next = negate(parser, limits, seen);
	return recent->next == NULL ? NULL : both;
}

static struct imap_search_key *parse_row(
	struct imap_parser *parser, struct limits *limits, const struct row *row)
{
	struct imap_search_key *key = new_key(parser, limits, row->kind);
	if (key == NULL)
		return NULL;
	if (row->kind == IMAP_SEARCH_AND)
		return parse_new(parser, limits, key);
	key->flags = row->flags;
	key->name = span_from_cstr(row->name);
	if (!parse_argument(parser, limits, row, key)) {
		imap_parser_fail(parser, "Invalid search key");
		return NULL;
	}
	return row->negated ? negate(parser, limits, key) : key;
}

/* key *(SP key), as an AND. */
static struct imap_search_key *parse_keys(struct imap_parser *parser, struct limits *limits)
{
	struct imap_search_key *all = new_key(parser, limits, IMAP_SEARCH_AND);
	if (all == NULL)
		return NULL;
	struct imap_search_key **place = &all->child;
	do {
		*place = parse_key(parser, limits);
		if (*place == NULL)
			return NULL;
		place = &(*place)->next;
	} while (imap_parser_accept(parser, ' ') && parser->rest.len > 0);
	return all;
}

static struct imap_search_key *parse_key_inside(struct imap_parser *parser, struct limits *limits)
{
	if (imap_parser_accept(parser, '(')) {
		struct imap_search_key *all = parse_keys(parser, limits);
		return all != NULL && imap_parse_char(parser, ')') ? all : NULL;
	}
	if (parser->rest.len > 0 &&
		(ascii_is_digit(parser->rest.ptr[0]) || parser->rest.ptr[0] == '*')) {
		struct imap_search_key *key = new_key(parser, limits, IMAP_SEARCH_SEQUENCE);
		return key != NULL && imap_parse_set(parser, &key->set) ? key : NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		if (imap_parser_accept_word(parser, ROWS[i].word))
			return parse_row(parser, limits, &ROWS[i]);
	imap_parser_fail(parser, "Unknown search key");
	return NULL;
}

static struct imap_search_key *parse_key(struct imap_parser *parser, struct limits *limits)
{
	if (limits->depth >= IMAP_SEARCH_DEPTH_MAX) {
		imap_parser_fail(parser, "Search keys are nested too deeply");
		return NULL;
	}
	limits->depth++;
	struct imap_search_key *key = parse_key_inside(parser, limits);
	limits->depth--;
	return key;
}

bool imap_parse_search(struct imap_parser *parser, struct imap_search *ret_search)
{
	struct limits limits = {0};
	*ret_search = (struct imap_search){.charset = SPAN_EMPTY};
	if (imap_parser_accept_word(parser, "CHARSET") &&
		(!imap_parse_space(parser) || !imap_parse_astring(parser, &ret_search->charset) ||
			!imap_parse_space(parser)))
		return imap_parser_fail(parser, "Invalid CHARSET");
	ret_search->root = parse_keys(parser, &limits);
	ret_search->modseq = limits.modseq;
	return ret_search->root != NULL && imap_parse_end(parser);
}
