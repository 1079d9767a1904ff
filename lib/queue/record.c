/* See record.h.
 * SPDX-License-Identifier: ISC */
#include "queue/record.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "queue/codec_private.h"

#define RECORD_MAGIC 0x6f626d54u /* "Tmbo" */
#define CHECKED_BYTES 28	 /* of the header, by its own checksum */

size_t record_size(size_t length)
{
	return (RECORD_HEADER_SIZE + length + 7) & ~(size_t)7;
}

static uint32_t header_crc(const void *header, struct span head)
{
	return crc32c(crc32c(0, header, CHECKED_BYTES), head.ptr, head.len);
}

void record_header_encode(uint32_t type, uint64_t epoch, struct span head, struct span rest,
	unsigned char ret_bytes[RECORD_HEADER_SIZE])
{
	CHECK(head.len <= RECORD_BODY_MAX && rest.len <= RECORD_BODY_MAX - head.len);
	store_u32(ret_bytes, RECORD_MAGIC);
	store_u16(ret_bytes + 4, (uint16_t)type);
	store_u16(ret_bytes + 6, 0);
	store_u32(ret_bytes + 8, (uint32_t)(head.len + rest.len));
	store_u32(ret_bytes + 12, (uint32_t)head.len);
	store_u64(ret_bytes + 16, epoch);
	store_u32(ret_bytes + 24, crc32c(0, rest.ptr, rest.len));
	store_u32(ret_bytes + 28, header_crc(ret_bytes, head));
}

enum record_result record_header_decode(
	struct span bytes, uint64_t epoch, struct record_header *ret_header)
{
	if (bytes.len < RECORD_HEADER_SIZE)
		return RECORD_END;
	const char *at = bytes.ptr;
	if (load_u32(at) != RECORD_MAGIC || load_u64(at + 16) != epoch)
		return RECORD_END;
	struct record_header header = {
		.type = load_u16(at + 4),
		.length = load_u32(at + 8),
		.head_length = load_u32(at + 12),
		.epoch = epoch,
		.rest_crc = load_u32(at + 24),
		.crc = load_u32(at + 28),
	};
	if (load_u16(at + 6) != 0 || header.length > RECORD_BODY_MAX ||
		header.head_length > header.length)
		return RECORD_TORN;
	*ret_header = header;
	return RECORD_OK;
}

bool record_check_head(
	const struct record_header *header, struct span header_bytes, struct span head)
{
	return header_bytes.len >= CHECKED_BYTES && head.len == header->head_length &&
	       header_crc(header_bytes.ptr, head) == header->crc;
}

bool record_check_rest(const struct record_header *header, struct span rest)
{
	return rest.len == header->length - header->head_length &&
	       crc32c(0, rest.ptr, rest.len) == header->rest_crc;
}

enum record_result record_decode(struct span bytes, uint64_t epoch,
	struct record_header *ret_header, struct span *ret_head, struct span *ret_rest)
{
	struct record_header header;
	enum record_result result = record_header_decode(bytes, epoch, &header);
	if (result != RECORD_OK)
		return result;
	if (record_size(header.length) > bytes.len)
		return RECORD_TORN;
	struct span body = span_part(bytes, RECORD_HEADER_SIZE, header.length);
	struct span head = span_head(body, header.head_length);
	struct span rest = span_skip(body, header.head_length);
	if (!record_check_head(&header, bytes, head) || !record_check_rest(&header, rest))
		return RECORD_TORN;
	*ret_header = header;
	*ret_head = head;
	*ret_rest = rest;
	return RECORD_OK;
}

size_t record_begun(struct span bytes, uint64_t epoch)
{
	unsigned char header[RECORD_HEADER_SIZE];
	if (bytes.len < RECORD_HEADER_SIZE)
		return 0;
	bool ours = load_u64(bytes.ptr + 16) == epoch, marked = load_u32(bytes.ptr) == RECORD_MAGIC;
	size_t head_length = load_u32(bytes.ptr + 12), size = record_size(load_u32(bytes.ptr + 8));
	if (!ours && !marked)
		return 0;
	/* Another epoch: that of an earlier life of the file, unless the checksum says that it was
	 * ours. */
	if (!ours) {
		memcpy(header, bytes.ptr, sizeof header);
		store_u64(header + 16, epoch);
		struct span head = span_part(bytes, RECORD_HEADER_SIZE, head_length);
		if (head.len != head_length || header_crc(header, head) != load_u32(header + 28))
			return 0;
	}
	return size < bytes.len ? size : bytes.len;
}

void record_append(
	struct buf *out, uint32_t type, uint64_t epoch, struct span head, struct span rest)
{
	static const char zeros[8];
	size_t length = head.len + rest.len, size = record_size(length);
	char *at = buf_reserve(out, size);
	if (at == NULL)
		return;
	unsigned char header[RECORD_HEADER_SIZE];
	record_header_encode(type, epoch, head, rest, header);
	buf_append_bytes(out, header, sizeof header);
	buf_append(out, head);
	buf_append(out, rest);
	buf_append_bytes(out, zeros, size - RECORD_HEADER_SIZE - length);
}
