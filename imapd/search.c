/* SEARCH keys against one message. Each key answers yes, no, or "not without the file"; only when
 * the whole expression is undecided are header and body looked at. RFC 3501 6.4.4.
 * SPDX-License-Identifier: ISC */
#include "imapd/search.h"

#include <time.h>

#include "imap/date.h"
#include "imapd/search_text.h"
#include "mail/date.h"
#include "mail/fold.h"
#include "mail/header.h"

#define FOLDED_MAX (512 * 1024)
#define DATE_CAP (1024 * 1024)

enum answer { NO, YES, UNDECIDED };

struct matching {
	struct session *session;
	size_t index;
	struct message message;
	struct search_text text;
	bool may_open; /* second pass: header and body may be read */
};

static struct span fold(struct span text, struct arena *arena)
{
	struct buf folded = BUF_INIT(FOLDED_MAX);
	utf8_fold(text, &folded);
	struct span result = arena_dup(arena, buf_span(&folded));
	buf_done(&folded);
	return result;
}

void search_prepare(struct session *session, struct imap_search_key *root, struct arena *arena)
{
	struct mailbox *mailbox = session->mailbox;
	size_t count = mailbox_count(mailbox);
	for (struct imap_search_key *key = root; key != NULL; key = key->next) {
		if (key->kind == IMAP_SEARCH_SEQUENCE)
			imap_set_resolve(&key->set, (uint32_t)count);
		else if (key->kind == IMAP_SEARCH_UID)
			imap_set_resolve(
				&key->set, count == 0 ? 0 : mailbox_at(mailbox, count - 1)->uid);
		else if (key->kind == IMAP_SEARCH_HEADER || key->kind == IMAP_SEARCH_BODY ||
			 key->kind == IMAP_SEARCH_TEXT)
			key->text = fold(key->text, arena);
		/* The parser bounds the depth. */
		if (key->child != NULL)
			search_prepare(session, key->child, arena);
	}
}

static enum answer to_answer(bool yes)
{
	return yes ? YES : NO;
}

static int64_t internal_day(const struct message *message)
{
	time_t seconds = (time_t)message->internaldate;
	struct tm local;
	int zone = localtime_r(&seconds, &local) == NULL ? 0 : (int)(local.tm_gmtoff / 60);
	return imap_day_of(message->internaldate, zone);
}

/* The day of the Date: field in its own zone; that of the internal date when there is none. */
static int64_t sent_day(struct matching *matching)
{
	struct buf headers = BUF_INIT(DATE_CAP);
	struct header_field field;
	struct mail_date date;
	int64_t day = internal_day(&matching->message);
	if (mailbox_message_cache(matching->session->mailbox, matching->message.uid, CACHE_HEADERS,
		    &headers) == 0 &&
		header_find(buf_span(&headers), SPAN("Date"), &field) &&
		mail_date_parse(field.value, &date))
		day = mail_date_day(date);
	buf_done(&headers);
	return day;
}

static enum answer match_sent(struct matching *matching, const struct imap_search_key *key)
{
	if (!matching->may_open)
		return UNDECIDED;
	int64_t day = sent_day(matching);
	if (key->kind == IMAP_SEARCH_SENT_BEFORE)
		return to_answer(day < key->day);
	return to_answer(key->kind == IMAP_SEARCH_SENT_ON ? day == key->day : day >= key->day);
}

static enum answer match_size(struct matching *matching, const struct imap_search_key *key)
{
	uint64_t size = matching->message.size;
	if (size == UINT64_MAX) {
		if (!matching->may_open)
			return UNDECIDED;
		if (mailbox_message_size(
			    matching->session->mailbox, matching->message.uid, &size) != 0)
			return NO;
		matching->message.size = size;
	}
	return to_answer(key->kind == IMAP_SEARCH_LARGER ? size > key->number : size < key->number);
}

static enum answer match_text(struct matching *matching, const struct imap_search_key *key)
{
	if (!matching->may_open)
		return UNDECIDED;
	if (key->kind == IMAP_SEARCH_HEADER)
		return to_answer(search_text_header(&matching->text, key->name, key->text));
	if (key->kind == IMAP_SEARCH_TEXT && search_text_any_header(&matching->text, key->text))
		return YES;
	return to_answer(search_text_body(
		&matching->text, key->text, key->kind == IMAP_SEARCH_TEXT));
}

static bool has_keyword(const struct matching *matching, struct span name)
{
	size_t number = mailbox_keyword_find(matching->session->mailbox, name);
	return number != SIZE_MAX && message_has_keyword(&matching->message, number);
}

static enum answer match(struct matching *matching, const struct imap_search_key *key);

/* AND of the children; OR when any is true. */
static enum answer match_children(
	struct matching *matching, const struct imap_search_key *key, bool any)
{
	enum answer ends = any ? YES : NO;
	enum answer result = any ? NO : YES;
	for (const struct imap_search_key *child = key->child; child != NULL; child = child->next) {
		enum answer answer = match(matching, child);
		if (answer == ends)
			return ends;
		if (answer == UNDECIDED)
			result = UNDECIDED;
	}
	return result;
}

static enum answer match(struct matching *matching, const struct imap_search_key *key)
{
	const struct message *message = &matching->message;
	enum answer answer;
	switch (key->kind) {
	case IMAP_SEARCH_ALL:
		return YES;
	case IMAP_SEARCH_AND:
		return match_children(matching, key, false);
	case IMAP_SEARCH_OR:
		return match_children(matching, key, true);
	case IMAP_SEARCH_NOT:
		answer = match(matching, key->child);
		return answer == UNDECIDED ? UNDECIDED : to_answer(answer == NO);
	case IMAP_SEARCH_SEQUENCE:
		return to_answer(imap_set_has(&key->set, (uint32_t)matching->index + 1));
	case IMAP_SEARCH_UID:
		return to_answer(imap_set_has(&key->set, message->uid));
	case IMAP_SEARCH_FLAG:
		return to_answer((message->flags & key->flags) == key->flags);
	case IMAP_SEARCH_KEYWORD:
		return to_answer(has_keyword(matching, key->text));
	case IMAP_SEARCH_BEFORE:
		return to_answer(internal_day(message) < key->day);
	case IMAP_SEARCH_ON:
		return to_answer(internal_day(message) == key->day);
	case IMAP_SEARCH_SINCE:
		return to_answer(internal_day(message) >= key->day);
	case IMAP_SEARCH_MODSEQ:
		return to_answer(message->modseq >= key->number);
	case IMAP_SEARCH_SENT_BEFORE:
	case IMAP_SEARCH_SENT_ON:
	case IMAP_SEARCH_SENT_SINCE:
		return match_sent(matching, key);
	case IMAP_SEARCH_LARGER:
	case IMAP_SEARCH_SMALLER:
		return match_size(matching, key);
	case IMAP_SEARCH_HEADER:
	case IMAP_SEARCH_BODY:
	case IMAP_SEARCH_TEXT:
		return match_text(matching, key);
	}
	return NO;
}

bool search_matches(struct session *session, size_t index, const struct imap_search_key *root,
	bool *ret_opened, int *ret_error)
{
	struct matching matching = {.session = session,
		.index = index,
		.message = *mailbox_at(session->mailbox, index)};
	enum answer answer = match(&matching, root);
	*ret_opened = answer == UNDECIDED;
	if (answer == UNDECIDED) {
		search_text_init(&matching.text, session, matching.message.uid);
		matching.may_open = true;
		answer = match(&matching, root);
		if (matching.text.error != 0)
			*ret_error = matching.text.error;
		search_text_done(&matching.text);
	}
	return answer == YES;
}
