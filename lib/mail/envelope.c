/* ENVELOPE data of a header. See envelope.h.
 * SPDX-License-Identifier: ISC */
#include "mail/envelope.h"

#include "base/check.h"
#include "mail/header.h"

static const struct {
	const char *name;
	enum envelope_list list;
} list_fields[] = {
	{"From", ENVELOPE_FROM}, {"Sender", ENVELOPE_SENDER}, {"Reply-To", ENVELOPE_REPLY_TO},
	{"To", ENVELOPE_TO}, {"Cc", ENVELOPE_CC}, {"Bcc", ENVELOPE_BCC},
};

static void take_text(struct span value, struct arena *arena, struct span *text)
{
	struct buf line = BUF_INIT(ENVELOPE_TEXT_MAX);
	if (text->ptr != NULL)
		return;
	header_unfold_clean(span_head(value, ENVELOPE_TEXT_MAX), &line);
	*text = arena_dup(arena, buf_span(&line));
	buf_done(&line);
}

/* Repeated address fields are joined by their text first, so that a thousand of them cost no more
 * than one: the arena would otherwise hold each growing copy. */
static void join_text(struct span value, struct buf *text)
{
	if (text->len > 0)
		buf_append_char(text, ',');
	buf_append(text, value);
}

static void take_field(const struct header_field *field, struct arena *arena,
	struct envelope *envelope, struct buf *texts)
{
	struct span name = field->name;
	if (span_equal_nocase(name, SPAN("Date")))
		take_text(field->value, arena, &envelope->date);
	else if (span_equal_nocase(name, SPAN("Subject")))
		take_text(field->value, arena, &envelope->subject);
	else if (span_equal_nocase(name, SPAN("Message-ID")))
		take_text(field->value, arena, &envelope->message_id);
	else if (span_equal_nocase(name, SPAN("In-Reply-To")))
		take_text(field->value, arena, &envelope->in_reply_to);
	else
		for (size_t i = 0; i < ARRAY_LEN(list_fields); i++)
			if (span_equal_nocase(name, span_from_cstr(list_fields[i].name)))
				join_text(field->value, &texts[list_fields[i].list]);
}

void envelope_parse(struct span header, struct arena *arena, struct envelope *ret_envelope)
{
	struct header_reader reader;
	struct header_field field;
	struct envelope envelope = {.date = {NULL, 0}};
	struct buf texts[ENVELOPE_LIST_COUNT];
	for (size_t i = 0; i < ENVELOPE_LIST_COUNT; i++)
		buf_init(&texts[i], header.len + 1);
	header_reader_init(&reader, header);
	while (header_next(&reader, &field) == HEADER_FIELD)
		if (field.valid)
			take_field(&field, arena, &envelope, texts);
	for (size_t i = 0; i < ENVELOPE_LIST_COUNT; i++) {
		address_list_parse(buf_span(&texts[i]), ENVELOPE_ADDRESSES_MAX, arena,
			&envelope.lists[i]);
		buf_done(&texts[i]);
	}
	if (envelope.lists[ENVELOPE_SENDER].count == 0)
		envelope.lists[ENVELOPE_SENDER] = envelope.lists[ENVELOPE_FROM];
	if (envelope.lists[ENVELOPE_REPLY_TO].count == 0)
		envelope.lists[ENVELOPE_REPLY_TO] = envelope.lists[ENVELOPE_FROM];
	*ret_envelope = envelope;
}
