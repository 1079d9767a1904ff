/* See maildrop.h.
 * SPDX-License-Identifier: ISC */
#include "queue/maildrop.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "queue/codec_private.h"

#define HEAD 5
#define MAGIC_LENGTH 8

enum phase { PHASE_SENDER, PHASE_ATTRIBUTES, PHASE_RECIPIENTS, PHASE_CONTENT, PHASE_DONE };

/* What a record may hold, and when it may come. */
static const struct rule {
	uint8_t type;
	uint8_t first, last; /* phases */
	uint8_t next;	     /* the phase it begins */
	bool once;
	uint32_t min, max; /* bytes */
} rules[] = {
	{MAILDROP_SENDER, PHASE_SENDER, PHASE_SENDER, PHASE_ATTRIBUTES, false, 0, 2048},
	{MAILDROP_FULL_NAME, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, true, 1, 1000},
	{MAILDROP_ENVID, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, true, 1, 100},
	{MAILDROP_RETURN, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, true, 1, 1},
	{MAILDROP_FLAGS, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, PHASE_ATTRIBUTES, true, 1, 1},
	{MAILDROP_RECIPIENT, PHASE_ATTRIBUTES, PHASE_RECIPIENTS, PHASE_RECIPIENTS, false, 4,
		3 + 500 + 2048},
	{MAILDROP_CONTENT, PHASE_RECIPIENTS, PHASE_CONTENT, PHASE_CONTENT, false, 1,
		MAILDROP_CONTENT_MAX},
	{MAILDROP_END, PHASE_RECIPIENTS, PHASE_CONTENT, PHASE_DONE, false, 4, 4},
};

static const struct rule *find_rule(uint8_t type, size_t *ret_index)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].type == type) {
			*ret_index = i;
			return &rules[i];
		}
	return NULL;
}

static void put(struct maildrop_encoder *encoder, const void *bytes, size_t len, struct buf *out)
{
	encoder->crc = crc32c(encoder->crc, bytes, len);
	buf_append_bytes(out, bytes, len);
}

static void put_head(struct maildrop_encoder *encoder, uint8_t type, size_t len, struct buf *out)
{
	unsigned char head[HEAD] = {type};
	store_u32(head + 1, (uint32_t)len);
	put(encoder, head, sizeof head, out);
}

void maildrop_begin(struct maildrop_encoder *encoder, struct buf *out)
{
	encoder->crc = 0;
	put(encoder, MAILDROP_MAGIC, MAGIC_LENGTH, out);
}

void maildrop_append(
	struct maildrop_encoder *encoder, uint8_t type, struct span bytes, struct buf *out)
{
	do {
		struct span piece = span_head(bytes, MAILDROP_CONTENT_MAX);
		if (piece.len == 0 && type == MAILDROP_CONTENT)
			return;
		put_head(encoder, type, piece.len, out);
		put(encoder, piece.ptr, piece.len, out);
		bytes = span_skip(bytes, piece.len);
	} while (bytes.len > 0);
}

void maildrop_append_recipient(struct maildrop_encoder *encoder, struct span address,
	struct span orcpt, uint8_t notify, struct buf *out)
{
	unsigned char fixed[3] = {notify};
	store_u16(fixed + 1, (uint16_t)orcpt.len);
	put_head(encoder, MAILDROP_RECIPIENT, sizeof fixed + orcpt.len + address.len, out);
	put(encoder, fixed, sizeof fixed, out);
	put(encoder, orcpt.ptr, orcpt.len, out);
	put(encoder, address.ptr, address.len, out);
}

void maildrop_end(struct maildrop_encoder *encoder, struct buf *out)
{
	unsigned char crc[4];
	uint32_t value = encoder->crc;
	store_u32(crc, value);
	put_head(encoder, MAILDROP_END, sizeof crc, out);
	put(encoder, crc, sizeof crc, out);
}

/* No text of an envelope may hold control bytes. */
static bool check_recipient(struct maildrop_record *record)
{
	size_t orcpt = load_u16(record->bytes.ptr + 1);
	record->notify = (uint8_t)record->bytes.ptr[0];
	if (orcpt > 500 || orcpt + 4 > record->bytes.len || record->notify > 15)
		return false;
	record->orcpt = span_part(record->bytes, 3, orcpt);
	record->bytes = span_skip(record->bytes, 3 + orcpt);
	return span_is_printable(record->bytes) && span_is_printable(record->orcpt);
}

static bool check_record(struct maildrop_decoder *decoder, struct maildrop_record *record)
{
	switch ((enum maildrop_type)record->type) {
	case MAILDROP_SENDER:
	case MAILDROP_FULL_NAME:
	case MAILDROP_ENVID:
		return span_is_printable(record->bytes);
	case MAILDROP_RETURN:
		return (uint8_t)record->bytes.ptr[0] <= 2;
	case MAILDROP_FLAGS:
		return (uint8_t)record->bytes.ptr[0] <= (MAILDROP_8BITMIME | MAILDROP_SMTPUTF8);
	case MAILDROP_RECIPIENT:
		return ++decoder->recipients <= MAILDROP_RECIPIENTS_MAX && check_recipient(record);
	case MAILDROP_CONTENT:
		decoder->content += record->bytes.len;
		return true;
	case MAILDROP_END:
		return load_u32(record->bytes.ptr) == decoder->crc && decoder->recipients > 0;
	}
	return false;
}

enum maildrop_result maildrop_next(
	struct maildrop_decoder *decoder, struct span *input, struct maildrop_record *ret_record)
{
	if (!decoder->begun) {
		struct span magic = span_new(MAILDROP_MAGIC, MAGIC_LENGTH);
		struct span head = span_head(*input, MAGIC_LENGTH);
		if (!span_starts_with(magic, head))
			return MAILDROP_BAD;
		if (head.len < MAGIC_LENGTH)
			return MAILDROP_MORE;
		decoder->crc = crc32c(0, head.ptr, head.len);
		decoder->begun = true;
		*input = span_skip(*input, MAGIC_LENGTH);
	}
	if (input->len == 0)
		return MAILDROP_MORE;
	size_t index = 0;
	struct maildrop_record record = {.type = (uint8_t)input->ptr[0], .orcpt = SPAN_EMPTY};
	const struct rule *rule = find_rule(record.type, &index);
	if (rule == NULL || decoder->phase < rule->first || decoder->phase > rule->last ||
		(rule->once && (decoder->seen & 1u << index) != 0))
		return MAILDROP_BAD;
	if (input->len < HEAD)
		return MAILDROP_MORE;
	size_t length = load_u32(input->ptr + 1);
	if (length < rule->min || length > rule->max)
		return MAILDROP_BAD;
	if (input->len < HEAD + length)
		return MAILDROP_MORE;
	record.bytes = span_part(*input, HEAD, length);
	uint32_t crc = crc32c(decoder->crc, input->ptr, HEAD + length);
	if (!check_record(decoder, &record))
		return MAILDROP_BAD;
	decoder->crc = crc;
	decoder->seen |= 1u << index;
	decoder->phase = rule->next;
	*input = span_skip(*input, HEAD + length);
	*ret_record = record;
	return MAILDROP_RECORD;
}

bool maildrop_is_complete(const struct maildrop_decoder *decoder)
{
	return decoder->phase == PHASE_DONE;
}
