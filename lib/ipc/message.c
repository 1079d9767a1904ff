/* Encodes and decodes messages by their field tables. See message.h for the wire form.
 * SPDX-License-Identifier: ISC */
#include "ipc/message.h"

#include <errno.h>

#include "base/check.h"

#define HEADER_SIZE 8

static const char *member(const void *message, const struct field *field)
{
	return (const char *)message + field->offset;
}

static size_t list_count(const void *message, const struct field *field)
{
	size_t count;
	memcpy(&count, (const char *)message + field->count_offset, sizeof count);
	return count;
}

static void put_number(struct buf *out, uint64_t value, size_t bytes)
{
	char wire[8];
	for (size_t i = 0; i < bytes; i++)
		wire[i] = (char)(value >> (8 * i));
	buf_append_bytes(out, wire, bytes);
}

static void put_length(struct buf *out, size_t start, size_t length)
{
	for (size_t i = 0; i < 4; i++)
		out->ptr[start + i] = (char)(length >> (8 * i));
}

struct fd_set_out {
	int *fds;
	size_t count;
};

static int encode_fields(const struct message_type *type, const void *message, struct buf *out,
	struct fd_set_out *fds);

static int encode_list(const struct field *field, const void *message, struct buf *out,
	struct fd_set_out *fds)
{
	size_t count = list_count(message, field);
	const char *items;
	if (count > field->limit)
		return -EMSGSIZE;
	memcpy(&items, member(message, field), sizeof items);
	put_number(out, count, 4);
	for (size_t i = 0; i < count; i++) {
		int status = encode_fields(field->item, items + i * field->item->size, out, fds);
		if (status != 0)
			return status;
	}
	return 0;
}

static int encode_fd(const char *at, struct buf *out, struct fd_set_out *fds)
{
	int fd;
	memcpy(&fd, at, sizeof fd);
	if (fd >= 0 && (fds == NULL || fds->count == MESSAGE_FDS_MAX))
		return -EMSGSIZE;
	put_number(out, fd >= 0, 1);
	if (fd >= 0)
		fds->fds[fds->count++] = fd;
	return 0;
}

static int encode_field(const struct field *field, const void *message, struct buf *out,
	struct fd_set_out *fds)
{
	const char *at = member(message, field);
	uint64_t wide;
	uint32_t narrow;
	struct span bytes;
	switch (field->kind) {
	case FIELD_BOOL:
		put_number(out, *(const bool *)(const void *)at, 1);
		return 0;
	case FIELD_U32:
		memcpy(&narrow, at, sizeof narrow);
		if (narrow > field->limit)
			return -EMSGSIZE;
		put_number(out, narrow, 4);
		return 0;
	case FIELD_U64:
	case FIELD_I64:
		memcpy(&wide, at, sizeof wide);
		put_number(out, wide, 8);
		return 0;
	case FIELD_SPAN:
		memcpy(&bytes, at, sizeof bytes);
		if (bytes.len > field->limit)
			return -EMSGSIZE;
		put_number(out, bytes.len, 4);
		buf_append(out, bytes);
		return 0;
	case FIELD_FD:
		return encode_fd(at, out, fds);
	case FIELD_LIST:
		return encode_list(field, message, out, fds);
	}
	return -EMSGSIZE;
}

static int encode_fields(const struct message_type *type, const void *message, struct buf *out,
	struct fd_set_out *fds)
{
	for (size_t i = 0; i < type->field_count; i++) {
		int status = encode_field(&type->fields[i], message, out, fds);
		if (status != 0)
			return status;
	}
	return out->overflow ? -EMSGSIZE : 0;
}

struct span message_tail(const struct message_type *type, const void *message)
{
	struct span bytes = SPAN_EMPTY;
	if (type->field_count > 0 && type->fields[type->field_count - 1].kind == FIELD_SPAN)
		memcpy(&bytes, member(message, &type->fields[type->field_count - 1]), sizeof bytes);
	return bytes;
}

int message_encode_head(const struct message_type *type, const void *message, struct buf *out)
{
	size_t start = out->len;
	struct span tail = message_tail(type, message);
	struct message_type head = *type;
	head.field_count--;
	if (tail.len > type->fields[head.field_count].limit)
		return -EMSGSIZE;
	put_number(out, 0, 4);
	put_number(out, type->type, 2);
	put_number(out, type->version, 2);
	int status = encode_fields(&head, message, out, NULL);
	put_number(out, tail.len, 4);
	size_t length = out->len - start + tail.len;
	if (status == 0 && (out->overflow || length > MESSAGE_SIZE_MAX))
		status = -EMSGSIZE;
	if (status != 0) {
		buf_truncate(out, start);
		return status;
	}
	put_length(out, start, length - HEADER_SIZE);
	return 0;
}

int message_encode(const struct message_type *type, const void *message, struct buf *out,
	int fds[MESSAGE_FDS_MAX], size_t *ret_fd_count)
{
	size_t start = out->len;
	struct fd_set_out passed = {.fds = fds};
	put_number(out, 0, 4);
	put_number(out, type->type, 2);
	put_number(out, type->version, 2);
	int status = encode_fields(type, message, out, fds == NULL ? NULL : &passed);
	if (status == 0 && (out->overflow || out->len - start > MESSAGE_SIZE_MAX))
		status = -EMSGSIZE;
	if (status != 0) {
		buf_truncate(out, start);
		return status;
	}
	put_length(out, start, out->len - start - HEADER_SIZE);
	*ret_fd_count = passed.count;
	return 0;
}

/* --- decoding --- */

struct decoder {
	struct span left;
	const int *fds;
	size_t fd_count, fd_used;
	struct arena *arena;
};

static bool take_number(struct decoder *decoder, size_t bytes, uint64_t *ret_value)
{
	uint64_t value = 0;
	if (decoder->left.len < bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t)(unsigned char)decoder->left.ptr[i] << (8 * i);
	decoder->left = span_skip(decoder->left, bytes);
	*ret_value = value;
	return true;
}

static bool decode_fields(const struct message_type *type, struct decoder *decoder, void *message);

static bool decode_list(const struct field *field, struct decoder *decoder, char *message)
{
	uint64_t count;
	/* Every item takes at least one byte, so a count cannot make us allocate much more than
	 * came. */
	if (!take_number(decoder, 4, &count) || count > field->limit || count > decoder->left.len)
		return false;
	char *items = arena_array(decoder->arena, (size_t)count, field->item->size);
	if (items == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!decode_fields(field->item, decoder, items + i * field->item->size))
			return false;
	size_t length = (size_t)count;
	memcpy(message + field->offset, &items, sizeof items);
	memcpy(message + field->count_offset, &length, sizeof length);
	return true;
}

static bool decode_fd(struct decoder *decoder, char *at)
{
	uint64_t present;
	int fd = -1;
	if (!take_number(decoder, 1, &present) || present > 1)
		return false;
	if (present == 1) {
		if (decoder->fd_used == decoder->fd_count)
			return false;
		fd = decoder->fds[decoder->fd_used++];
	}
	memcpy(at, &fd, sizeof fd);
	return true;
}

static bool decode_field(const struct field *field, struct decoder *decoder, char *message)
{
	char *at = message + field->offset;
	uint64_t value;
	uint32_t narrow;
	bool flag;
	struct span bytes;
	switch (field->kind) {
	case FIELD_BOOL:
		if (!take_number(decoder, 1, &value) || value > 1)
			return false;
		flag = value == 1;
		memcpy(at, &flag, sizeof flag);
		return true;
	case FIELD_U32:
		if (!take_number(decoder, 4, &value) || value > field->limit)
			return false;
		narrow = (uint32_t)value;
		memcpy(at, &narrow, sizeof narrow);
		return true;
	case FIELD_U64:
	case FIELD_I64:
		if (!take_number(decoder, 8, &value))
			return false;
		memcpy(at, &value, sizeof value);
		return true;
	case FIELD_SPAN:
		if (!take_number(decoder, 4, &value) || value > field->limit ||
			value > decoder->left.len)
			return false;
		bytes = span_head(decoder->left, (size_t)value);
		decoder->left = span_skip(decoder->left, (size_t)value);
		memcpy(at, &bytes, sizeof bytes);
		return true;
	case FIELD_FD:
		return decode_fd(decoder, at);
	case FIELD_LIST:
		return decode_list(field, decoder, message);
	}
	return false;
}

static bool decode_fields(const struct message_type *type, struct decoder *decoder, void *message)
{
	for (size_t i = 0; i < type->field_count; i++)
		if (!decode_field(&type->fields[i], decoder, message))
			return false;
	return true;
}

int message_decode(const struct message_type *type, struct span payload, const int *fds,
	size_t fd_count, struct arena *arena, void *ret_message)
{
	struct decoder decoder = {.left = payload, .fds = fds, .fd_count = fd_count, .arena = arena};
	void *decoded = arena_alloc(arena, type->size);
	if (decoded == NULL || !decode_fields(type, &decoder, decoded) || decoder.left.len != 0 ||
		decoder.fd_used != fd_count)
		return -EBADMSG;
	memcpy(ret_message, decoded, type->size);
	return 0;
}
