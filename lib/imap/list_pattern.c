/* Mailbox patterns: the set of pattern positions that are alive after each byte of the name, as a
 * bit set, so that "%*%*%*" costs no more than any other pattern. RFC 3501 6.3.8.
 * SPDX-License-Identifier: ISC */
#include "imap/list_pattern.h"

#include "base/ascii.h"

#define WORDS (IMAP_LIST_PATTERN_MAX / 64 + 1)

struct states {
	uint64_t words[WORDS];
};

static bool has(const struct states *states, size_t at)
{
	return (states->words[at / 64] >> (at % 64) & 1) != 0;
}

static void add(struct states *states, size_t at)
{
	states->words[at / 64] |= UINT64_C(1) << (at % 64);
}

/* A wildcard may match nothing: the position behind it is alive too. */
static void close_over_wildcards(struct span pattern, struct states *states)
{
	for (size_t i = 0; i < pattern.len; i++)
		if (has(states, i) && (pattern.ptr[i] == '*' || pattern.ptr[i] == '%'))
			add(states, i + 1);
}

static bool step(struct span pattern, char c, char separator, struct states *states)
{
	struct states next = {0};
	bool alive = false;
	for (size_t i = 0; i < pattern.len; i++) {
		if (!has(states, i))
			continue;
		char p = pattern.ptr[i];
		if (p == '*' || (p == '%' && c != separator)) {
			add(&next, i);
			alive = true;
		} else if (p != '%' && p == c) {
			add(&next, i + 1);
			alive = true;
		}
	}
	close_over_wildcards(pattern, &next);
	*states = next;
	return alive;
}

/* How many bytes of the pattern are a caseless INBOX that the name begins with as well. */
static bool both_begin_with_inbox(struct span pattern, struct span name, char separator)
{
	const struct span inbox = SPAN("INBOX");
	if (!span_starts_with_nocase(pattern, inbox) || !span_starts_with_nocase(name, inbox))
		return false;
	return name.len == inbox.len || name.ptr[inbox.len] == separator;
}

enum imap_list_match imap_list_match(struct span pattern, struct span name, char separator)
{
	if (pattern.len > IMAP_LIST_PATTERN_MAX - 1)
		return IMAP_LIST_NO;
	if (both_begin_with_inbox(pattern, name, separator)) {
		pattern = span_skip(pattern, 5);
		name = span_skip(name, 5);
	}
	struct states states = {0};
	add(&states, 0);
	close_over_wildcards(pattern, &states);
	for (size_t i = 0; i < name.len; i++)
		if (!step(pattern, name.ptr[i], separator, &states))
			return IMAP_LIST_NO;
	if (has(&states, pattern.len))
		return IMAP_LIST_YES;
	return step(pattern, separator, separator, &states) ? IMAP_LIST_PARENT : IMAP_LIST_NO;
}
