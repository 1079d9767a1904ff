/* IMAP commands: names and arguments. RFC 3501 section 6 and 9, RFC 2971 3.1, RFC 7162 3.1.
 * SPDX-License-Identifier: ISC */
#include "imap/command.h"

#include "base/ascii.h"
#include "base/check.h"
#include "imap/date.h"

bool imap_parse_command(
	struct imap_parser *parser, struct span *ret_tag, struct span *ret_name, bool *ret_uid)
{
	*ret_tag = *ret_name = SPAN_EMPTY;
	*ret_uid = false;
	if (!imap_parse_tag(parser, ret_tag))
		return false;
	if (!imap_parser_accept(parser, ' '))
		return imap_parser_fail(parser, "Missing command");
	if (imap_parser_accept_word(parser, "UID")) {
		*ret_uid = true;
		if (!imap_parse_space(parser))
			return false;
	}
	return imap_parse_atom(parser, ret_name) ? true
						 : imap_parser_fail(parser, "Missing command");
}

static bool parse_unchanged_since(struct imap_parser *parser, struct imap_store *store)
{
	if (!imap_parser_accept(parser, '('))
		return true;
	if (!imap_parser_accept_word(parser, "UNCHANGEDSINCE") || !imap_parse_space(parser) ||
		!imap_parse_number64(parser, &store->unchanged_since) ||
		!imap_parse_char(parser, ')'))
		return imap_parser_fail(parser, "Invalid STORE modifier");
	store->unchanged_since_given = true;
	return imap_parse_space(parser);
}

bool imap_parse_store(struct imap_parser *parser, struct imap_store *ret_store)
{
	*ret_store = (struct imap_store){.operation = IMAP_STORE_SET};
	if (!imap_parse_set(parser, &ret_store->set) || !imap_parse_space(parser) ||
		!parse_unchanged_since(parser, ret_store))
		return false;
	if (imap_parser_accept(parser, '+'))
		ret_store->operation = IMAP_STORE_ADD;
	else if (imap_parser_accept(parser, '-'))
		ret_store->operation = IMAP_STORE_REMOVE;
	if (imap_parser_accept_word(parser, "FLAGS.SILENT"))
		ret_store->silent = true;
	else if (!imap_parser_accept_word(parser, "FLAGS"))
		return imap_parser_fail(parser, "Expected FLAGS");
	return imap_parse_space(parser) && imap_parse_store_flags(parser, &ret_store->flags) &&
	       imap_parse_end(parser);
}

struct word_bit {
	const char *word;
	unsigned bit;
};

static const struct word_bit STATUS_ITEMS[] = {
	{"MESSAGES", IMAP_STATUS_MESSAGES},
	{"RECENT", IMAP_STATUS_RECENT},
	{"UIDNEXT", IMAP_STATUS_UIDNEXT},
	{"UIDVALIDITY", IMAP_STATUS_UIDVALIDITY},
	{"UNSEEN", IMAP_STATUS_UNSEEN},
	{"HIGHESTMODSEQ", IMAP_STATUS_HIGHESTMODSEQ},
};

static const struct word_bit LIST_SELECT[] = {
	{"SUBSCRIBED", IMAP_LIST_SELECT_SUBSCRIBED},
	{"SPECIAL-USE", IMAP_LIST_SELECT_SPECIAL_USE},
	{"RECURSIVEMATCH", IMAP_LIST_SELECT_RECURSIVE},
	{"REMOTE", 0},
};

static const struct word_bit LIST_RETURN[] = {
	{"SUBSCRIBED", IMAP_LIST_RETURN_SUBSCRIBED},
	{"CHILDREN", IMAP_LIST_RETURN_CHILDREN},
	{"SPECIAL-USE", IMAP_LIST_RETURN_SPECIAL_USE},
};

static bool accept_bit(
	struct imap_parser *parser, const struct word_bit *words, size_t count, unsigned *bits)
{
	for (size_t i = 0; i < count; i++) {
		if (!imap_parser_accept_word(parser, words[i].word))
			continue;
		*bits |= words[i].bit;
		return true;
	}
	return false;
}

/* "(" words ")", or "()". */
static bool parse_words(
	struct imap_parser *parser, const struct word_bit *words, size_t count, unsigned *bits)
{
	if (!imap_parse_char(parser, '('))
		return false;
	if (imap_parser_accept(parser, ')'))
		return true;
	do {
		if (!accept_bit(parser, words, count, bits))
			return imap_parser_fail(parser, "Unknown item");
	} while (imap_parser_accept(parser, ' '));
	return imap_parse_char(parser, ')');
}

bool imap_parse_status_items(struct imap_parser *parser, unsigned *ret_items)
{
	*ret_items = 0;
	if (!parse_words(parser, STATUS_ITEMS, ARRAY_LEN(STATUS_ITEMS), ret_items))
		return imap_parser_fail(parser, "Invalid STATUS items");
	if (*ret_items == 0)
		return imap_parser_fail(parser, "STATUS needs an item");
	return imap_parse_end(parser);
}

bool imap_parse_select(struct imap_parser *parser, struct imap_select *ret_select)
{
	static const struct word_bit PARAMETERS[] = {{"CONDSTORE", 1}};
	unsigned bits = 0;
	*ret_select = (struct imap_select){.mailbox = SPAN_EMPTY};
	if (!imap_parse_space(parser) || !imap_parse_mailbox(parser, &ret_select->mailbox))
		return false;
	if (imap_parser_accept(parser, ' ') && parser->rest.len > 0 &&
		!parse_words(parser, PARAMETERS, ARRAY_LEN(PARAMETERS), &bits))
		return imap_parser_fail(parser, "Unknown SELECT parameter");
	ret_select->condstore = bits != 0;
	return imap_parse_end(parser);
}

static bool add_pattern(struct imap_parser *parser, struct imap_list *list)
{
	struct span pattern;
	if (!imap_parse_list_mailbox(parser, &pattern))
		return false;
	if (list->pattern_count >= IMAP_LIST_PATTERNS_MAX)
		return imap_parser_fail(parser, "Too many patterns");
	struct span *grown = arena_grow(parser->arena, list->patterns, list->pattern_count,
		list->pattern_count + 1, sizeof(*grown));
	if (grown == NULL)
		return imap_parser_fail(parser, "Command too long");
	grown[list->pattern_count++] = pattern;
	list->patterns = grown;
	return true;
}

static bool parse_patterns(struct imap_parser *parser, struct imap_list *list)
{
	if (!imap_parser_accept(parser, '('))
		return add_pattern(parser, list);
	list->options |= IMAP_LIST_EXTENDED;
	do {
		if (!add_pattern(parser, list))
			return false;
	} while (imap_parser_accept(parser, ' '));
	return imap_parse_char(parser, ')');
}

bool imap_parse_list(struct imap_parser *parser, struct imap_list *ret_list)
{
	*ret_list = (struct imap_list){0};
	if (!imap_parse_space(parser))
		return false;
	if (imap_parser_peek(parser, '(')) {
		ret_list->options |= IMAP_LIST_EXTENDED;
		if (!parse_words(parser, LIST_SELECT, ARRAY_LEN(LIST_SELECT), &ret_list->options))
			return imap_parser_fail(parser, "Unknown LIST selection option");
		if (!imap_parse_space(parser))
			return false;
	}
	if (!imap_parse_astring(parser, &ret_list->reference) || !imap_parse_space(parser) ||
		!parse_patterns(parser, ret_list))
		return false;
	if (imap_parser_accept(parser, ' ') && parser->rest.len > 0) {
		ret_list->options |= IMAP_LIST_EXTENDED;
		if (!imap_parser_accept_word(parser, "RETURN") || !imap_parse_space(parser) ||
			!parse_words(
				parser, LIST_RETURN, ARRAY_LEN(LIST_RETURN), &ret_list->options))
			return imap_parser_fail(parser, "Unknown LIST return option");
	}
	/* RFC 5258 3.1: RECURSIVEMATCH needs another selection option */
	if ((ret_list->options & IMAP_LIST_SELECT_RECURSIVE) != 0 &&
		(ret_list->options & IMAP_LIST_SELECT_SUBSCRIBED) == 0)
		return imap_parser_fail(parser, "RECURSIVEMATCH needs SUBSCRIBED");
	return imap_parse_end(parser);
}

static void append_id(struct span key, struct span value, struct buf *out)
{
	if (out->len > 0)
		buf_append_cstr(out, ", ");
	buf_append(out, key);
	buf_append_char(out, '=');
	buf_append(out, span_head(value, 200));
}

bool imap_parse_id(struct imap_parser *parser, struct buf *out)
{
	if (imap_parser_accept_word(parser, "NIL"))
		return imap_parse_end(parser);
	if (!imap_parse_char(parser, '('))
		return false;
	for (size_t pairs = 0; !imap_parser_accept(parser, ')'); pairs++) {
		struct span key, value;
		bool nil;
		if (pairs > 0 && !imap_parse_space(parser))
			return false;
		if (!imap_parse_string(parser, &key) || !imap_parse_space(parser) ||
			!imap_parse_nstring(parser, &value, &nil))
			return imap_parser_fail(parser, "Invalid ID");
		if (pairs >= IMAP_ID_PAIRS_MAX || key.len > IMAP_ID_KEY_MAX ||
			value.len > IMAP_ID_VALUE_MAX)
			return imap_parser_fail(parser, "ID is too long");
		append_id(key, value, out);
	}
	return imap_parse_end(parser);
}

bool imap_parse_append(struct imap_parser *parser, struct imap_append *ret_append)
{
	*ret_append = (struct imap_append){.mailbox = SPAN_EMPTY};
	if (!imap_parse_space(parser) || !imap_parse_mailbox(parser, &ret_append->mailbox) ||
		!imap_parse_space(parser))
		return false;
	if (imap_parser_peek(parser, '(') &&
		(!imap_parse_flag_list(parser, &ret_append->flags) || !imap_parse_space(parser)))
		return false;
	if (imap_parser_peek(parser, '"')) {
		if (!imap_parse_date_time(parser, &ret_append->date) || !imap_parse_space(parser))
			return false;
		ret_append->has_date = true;
	}
	if (imap_parser_peek(parser, '~'))
		return imap_parser_fail(parser, "literal8 needs BINARY, which is not offered");
	return imap_parser_peek(parser, '{')
		       ? true
		       : imap_parser_fail(parser, "APPEND needs the message as a literal");
}
