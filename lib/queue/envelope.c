/* See envelope.h. Attributes are a table: a new one is a new row with a new tag; an old reader
 * skips tags it does not know.
 * SPDX-License-Identifier: ISC */
#include "queue/envelope.h"

#include "base/check.h"
#include "queue/codec_private.h"
#include "queue/queue_id.h"

#define ENVELOPE_VERSION 1
#define SAME_AS_ADDRESS 0xffff

enum attribute_kind { KIND_SPAN, KIND_U32, KIND_U64 };

static const struct attribute {
	uint8_t tag;
	enum attribute_kind kind;
	size_t offset;
} attributes[] = {
	{1, KIND_SPAN, offsetof(struct queue_envelope, queue_id)},
	{2, KIND_SPAN, offsetof(struct queue_envelope, sender)},
	{3, KIND_SPAN, offsetof(struct queue_envelope, envid)},
	{4, KIND_SPAN, offsetof(struct queue_envelope, message_id)},
	{5, KIND_SPAN, offsetof(struct queue_envelope, client_name)},
	{6, KIND_SPAN, offsetof(struct queue_envelope, client_address)},
	{7, KIND_SPAN, offsetof(struct queue_envelope, client_port)},
	{8, KIND_SPAN, offsetof(struct queue_envelope, helo)},
	{9, KIND_SPAN, offsetof(struct queue_envelope, protocol)},
	{10, KIND_SPAN, offsetof(struct queue_envelope, sasl_method)},
	{11, KIND_SPAN, offsetof(struct queue_envelope, sasl_username)},
	{12, KIND_SPAN, offsetof(struct queue_envelope, sasl_sender)},
	{13, KIND_SPAN, offsetof(struct queue_envelope, original_queue_id)},
	{32, KIND_U64, offsetof(struct queue_envelope, arrival_ms)},
	{33, KIND_U64, offsetof(struct queue_envelope, size)},
	{34, KIND_U32, offsetof(struct queue_envelope, flags)},
	{35, KIND_U32, offsetof(struct queue_envelope, dsn_return)},
	{36, KIND_U32, offsetof(struct queue_envelope, origin)},
	{37, KIND_U32, offsetof(struct queue_envelope, recipient_count)},
	{38, KIND_U64, offsetof(struct queue_envelope, recipients_epoch)},
};

static void put_attribute(struct buf *out, uint8_t tag, const void *bytes, size_t len)
{
	unsigned char head[4] = {tag, 0};
	store_u16(head + 2, (uint16_t)len);
	buf_append_bytes(out, head, sizeof head);
	buf_append_bytes(out, bytes, len);
}

static bool encode_attributes(const struct queue_envelope *envelope, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		const struct attribute *row = &attributes[i];
		const char *at = (const char *)envelope + row->offset;
		unsigned char number[8];
		struct span text;
		switch (row->kind) {
		case KIND_SPAN:
			memcpy(&text, at, sizeof text);
			if (text.len > QUEUE_ATTRIBUTE_MAX)
				return false;
			if (text.len > 0)
				put_attribute(out, row->tag, text.ptr, text.len);
			break;
		case KIND_U32: {
			uint32_t value;
			memcpy(&value, at, sizeof value);
			store_u32(number, value);
			put_attribute(out, row->tag, number, 4);
			break;
		}
		case KIND_U64: {
			uint64_t value;
			memcpy(&value, at, sizeof value);
			store_u64(number, value);
			put_attribute(out, row->tag, number, 8);
			break;
		}
		}
	}
	return true;
}

bool queue_envelope_encode(const struct queue_envelope *envelope, struct buf *out)
{
	size_t start = out->len;
	unsigned char head[8];
	if (out->overflow || !queue_id_is_valid(envelope->queue_id) ||
		envelope->recipients.len > QUEUE_RECIPIENTS_INLINE_MAX)
		return false;
	store_u32(head, ENVELOPE_VERSION);
	buf_append_bytes(out, head, sizeof head);
	if (!encode_attributes(envelope, out) || out->overflow) {
		buf_truncate(out, start);
		return false;
	}
	store_u32(out->ptr + start + 4, (uint32_t)(out->len - start - 8));
	buf_append(out, envelope->recipients);
	if (out->overflow)
		buf_truncate(out, start);
	return !out->overflow;
}

static bool decode_attribute(uint8_t tag, struct span value, struct queue_envelope *envelope)
{
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		const struct attribute *row = &attributes[i];
		char *at = (char *)envelope + row->offset;
		if (row->tag != tag)
			continue;
		switch (row->kind) {
		case KIND_SPAN:
			memcpy(at, &value, sizeof value);
			return value.len <= QUEUE_ATTRIBUTE_MAX;
		case KIND_U32: {
			if (value.len != 4)
				return false;
			uint32_t number = load_u32(value.ptr);
			memcpy(at, &number, sizeof number);
			return true;
		}
		case KIND_U64: {
			if (value.len != 8)
				return false;
			uint64_t number = load_u64(value.ptr);
			memcpy(at, &number, sizeof number);
			return true;
		}
		}
	}
	return true;
}

bool queue_envelope_decode(struct span bytes, struct queue_envelope *ret_envelope)
{
	if (bytes.len < 8 || load_u32(bytes.ptr) != ENVELOPE_VERSION)
		return false;
	size_t length = load_u32(bytes.ptr + 4);
	struct span rest = span_skip(bytes, 8);
	if (length > rest.len)
		return false;
	struct queue_envelope envelope = {0};
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++)
		if (attributes[i].kind == KIND_SPAN)
			memcpy((char *)&envelope + attributes[i].offset, &SPAN_EMPTY,
				sizeof(struct span));
	envelope.recipients = span_skip(rest, length);
	rest = span_head(rest, length);
	while (rest.len > 0) {
		if (rest.len < 4)
			return false;
		size_t size = load_u16(rest.ptr + 2);
		uint8_t tag = (uint8_t)rest.ptr[0];
		if (size > rest.len - 4 ||
			!decode_attribute(tag, span_part(rest, 4, size), &envelope))
			return false;
		rest = span_skip(rest, 4 + size);
	}
	if (!queue_id_is_valid(envelope.queue_id) ||
		envelope.recipient_count > QUEUE_RECIPIENTS_MAX ||
		envelope.recipients.len > QUEUE_RECIPIENTS_INLINE_MAX)
		return false;
	*ret_envelope = envelope;
	return true;
}

/* u16 lengths of address, original (or SAME_AS_ADDRESS) and orcpt, u8 notify, u8 zero, the bytes */
bool queue_recipient_append(struct buf *out, const struct queue_recipient *recipient)
{
	bool same = span_equal(recipient->address, recipient->original);
	struct span original = same ? SPAN_EMPTY : recipient->original;
	if (recipient->address.len > QUEUE_ADDRESS_MAX || original.len > QUEUE_ADDRESS_MAX ||
		recipient->orcpt.len > QUEUE_ADDRESS_MAX || recipient->notify > UINT8_MAX)
		return false;
	unsigned char head[8] = {0};
	store_u16(head, (uint16_t)recipient->address.len);
	store_u16(head + 2, same ? SAME_AS_ADDRESS : (uint16_t)original.len);
	store_u16(head + 4, (uint16_t)recipient->orcpt.len);
	head[6] = (unsigned char)recipient->notify;
	if (out->overflow || buf_reserve(out, 8 + recipient->address.len + original.len +
						      recipient->orcpt.len) == NULL)
		return false;
	buf_append_bytes(out, head, sizeof head);
	buf_append(out, recipient->address);
	buf_append(out, original);
	buf_append(out, recipient->orcpt);
	return true;
}

bool queue_recipient_next(struct span *rest, struct queue_recipient *ret_recipient)
{
	if (rest->len < 8)
		return false;
	const char *head = rest->ptr;
	size_t address = load_u16(head), original = load_u16(head + 2), orcpt = load_u16(head + 4);
	bool same = original == SAME_AS_ADDRESS;
	if (same)
		original = 0;
	if (address > QUEUE_ADDRESS_MAX || original > QUEUE_ADDRESS_MAX ||
		orcpt > QUEUE_ADDRESS_MAX || address + original + orcpt > rest->len - 8)
		return false;
	struct span at = span_skip(*rest, 8);
	struct queue_recipient recipient = {.notify = (unsigned char)head[6]};
	recipient.address = span_head(at, address);
	recipient.original = same ? recipient.address : span_part(at, address, original);
	recipient.orcpt = span_part(at, address + original, orcpt);
	*rest = span_skip(at, address + original + orcpt);
	*ret_recipient = recipient;
	return true;
}
