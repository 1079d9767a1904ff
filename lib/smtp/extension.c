/* EHLO keywords. See extension.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/extension.h"

#include "base/ascii.h"
#include "base/check.h"

static const struct {
	const char *keyword;
	unsigned extension;
} keywords[] = {
	{"PIPELINING", SMTP_EXTENSION_PIPELINING}, {"SIZE", SMTP_EXTENSION_SIZE},
	{"8BITMIME", SMTP_EXTENSION_8BITMIME}, {"SMTPUTF8", SMTP_EXTENSION_SMTPUTF8},
	{"DSN", SMTP_EXTENSION_DSN}, {"STARTTLS", SMTP_EXTENSION_STARTTLS},
	{"AUTH", SMTP_EXTENSION_AUTH}, {"ENHANCEDSTATUSCODES", SMTP_EXTENSION_ENHANCEDSTATUSCODES},
	{"CHUNKING", SMTP_EXTENSION_CHUNKING},
};

void smtp_offer_init(struct smtp_offer *offer)
{
	*offer = (struct smtp_offer){.host = BUF_INIT(255),
		.mechanisms = BUF_INIT(SMTP_AUTH_MECHANISMS_MAX)};
}

void smtp_offer_done(struct smtp_offer *offer)
{
	buf_done(&offer->host);
	buf_done(&offer->mechanisms);
}

void smtp_offer_reset(struct smtp_offer *offer)
{
	buf_reset(&offer->host);
	buf_reset(&offer->mechanisms);
	offer->extensions = 0;
	offer->size_limit = 0;
}

unsigned smtp_extension_find(struct span keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++)
		if (span_equal_nocase(keyword, span_from_cstr(keywords[i].keyword)))
			return keywords[i].extension;
	return 0;
}

static bool is_mechanism(struct span word)
{
	for (size_t i = 0; i < word.len; i++)
		if (!ascii_is_alnum(word.ptr[i]) && word.ptr[i] != '-' && word.ptr[i] != '_')
			return false;
	return word.len <= 20;
}

static void add_mechanisms(struct smtp_offer *offer, struct span rest)
{
	struct span word;
	while (span_token(&rest, " \t", &word)) {
		if (!is_mechanism(word) ||
			offer->mechanisms.len + 1 + word.len > SMTP_AUTH_MECHANISMS_MAX)
			continue;
		if (offer->mechanisms.len > 0)
			buf_append_char(&offer->mechanisms, ' ');
		for (size_t i = 0; i < word.len; i++)
			buf_append_char(&offer->mechanisms, ascii_upper(word.ptr[i]));
	}
}

void smtp_offer_add(struct smtp_offer *offer, struct span text, bool first)
{
	struct span rest = text, word;
	/* "AUTH=LOGIN" is how some old servers say it. */
	if (!span_token(&rest, " \t=", &word))
		return;
	if (first) {
		buf_reset(&offer->host);
		buf_append(&offer->host, span_head(word, 255));
		return;
	}
	unsigned extension = smtp_extension_find(word);
	offer->extensions |= extension;
	if (extension == SMTP_EXTENSION_AUTH && rest.len > 0)
		add_mechanisms(offer, span_skip(rest, 1));
	uint64_t limit;
	if (extension == SMTP_EXTENSION_SIZE && span_token(&rest, " \t=", &word) &&
		span_to_u64(word, UINT64_MAX, &limit))
		offer->size_limit = limit;
}
