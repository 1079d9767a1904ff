/* The coding of ledger entries and the scanning of log bytes: pure. See ledger_private.h.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "base/crc32c.h"
#include "queue/codec_private.h"
#include "queue/ledger_private.h"
#include "queue/queue_id.h"
#include "queue/record.h"

#define LEDGER_MAGIC 0x676c6d54u /* "Tmlg" */
#define LEDGER_VERSION 1
#define HEADER_BYTES 32
#define ENTRY_FIXED 52

void ledger_header_encode(
	const struct ledger_header *header, unsigned char ret_bytes[LEDGER_HEADER_SIZE])
{
	memset(ret_bytes, 0, LEDGER_HEADER_SIZE);
	store_u32(ret_bytes, LEDGER_MAGIC);
	store_u32(ret_bytes + 4, LEDGER_VERSION);
	store_u64(ret_bytes + 8, header->number);
	store_u64(ret_bytes + 16, header->epoch);
	store_u64(ret_bytes + 24, header->previous_length);
	store_u32(ret_bytes + HEADER_BYTES, crc32c(0, ret_bytes, HEADER_BYTES));
}

bool ledger_header_decode(struct span bytes, struct ledger_header *ret_header)
{
	if (bytes.len < HEADER_BYTES + 4 || load_u32(bytes.ptr) != LEDGER_MAGIC ||
		load_u32(bytes.ptr + 4) != LEDGER_VERSION ||
		load_u32(bytes.ptr + HEADER_BYTES) != crc32c(0, bytes.ptr, HEADER_BYTES))
		return false;
	ret_header->number = load_u64(bytes.ptr + 8);
	ret_header->epoch = load_u64(bytes.ptr + 16);
	ret_header->previous_length = load_u64(bytes.ptr + 24);
	return true;
}

/* u32 length of what follows; u16 kind, u8 lengths of id, dsn and remote_mta, u8 zero, u16 lengths
 * of text and diagnostic, u16 zero, u32 first, u32 count, u64 time, u64 value, boot; the texts. */
void ledger_entry_encode(const struct ledger_entry *entry, struct buf *out)
{
	struct span id = queue_id_is_valid(entry->queue_id) ? entry->queue_id : SPAN_EMPTY;
	struct span dsn = span_head(entry->dsn, 15),
		    remote = span_head(entry->remote_mta, LEDGER_NAME_MAX);
	struct span text = span_head(entry->text, LEDGER_TEXT_MAX);
	struct span diagnostic = span_head(entry->diagnostic, LEDGER_TEXT_MAX);
	unsigned char fixed[4 + ENTRY_FIXED] = {0};
	store_u32(fixed, (uint32_t)(ENTRY_FIXED + id.len + dsn.len + remote.len + text.len +
				    diagnostic.len));
	store_u16(fixed + 4, (uint16_t)entry->kind);
	fixed[6] = (unsigned char)id.len;
	fixed[7] = (unsigned char)dsn.len;
	fixed[8] = (unsigned char)remote.len;
	store_u16(fixed + 10, (uint16_t)text.len);
	store_u16(fixed + 12, (uint16_t)diagnostic.len);
	store_u32(fixed + 16, entry->first);
	store_u32(fixed + 20, entry->count);
	store_u64(fixed + 24, (uint64_t)entry->time_ms);
	store_u64(fixed + 32, entry->value);
	memcpy(fixed + 40, entry->boot, sizeof entry->boot);
	buf_append_bytes(out, fixed, sizeof fixed);
	buf_append(out, id);
	buf_append(out, dsn);
	buf_append(out, remote);
	buf_append(out, text);
	buf_append(out, diagnostic);
}

bool ledger_entry_decode(struct span bytes, struct ledger_entry *ret_entry)
{
	if (bytes.len < ENTRY_FIXED)
		return false;
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	size_t id = at[2], dsn = at[3], remote = at[4], text = load_u16(at + 6),
	       diagnostic = load_u16(at + 8);
	if (bytes.len != ENTRY_FIXED + id + dsn + remote + text + diagnostic)
		return false;
	struct ledger_entry entry = {
		.kind = load_u16(at),
		.first = load_u32(at + 12),
		.count = load_u32(at + 16),
		.time_ms = (int64_t)load_u64(at + 20),
		.value = load_u64(at + 28),
	};
	memcpy(entry.boot, at + 36, sizeof entry.boot);
	struct span rest = span_skip(bytes, ENTRY_FIXED);
	struct span *texts[] = {
		&entry.queue_id, &entry.dsn, &entry.remote_mta, &entry.text, &entry.diagnostic};
	const size_t lengths[] = {id, dsn, remote, text, diagnostic};
	for (size_t i = 0; i < 5; i++) {
		*texts[i] = span_head(rest, lengths[i]);
		rest = span_skip(rest, lengths[i]);
	}
	if (entry.queue_id.len > 0 && !queue_id_is_valid(entry.queue_id))
		return false;
	*ret_entry = entry;
	return true;
}

void ledger_frame(struct span entries, uint64_t epoch, struct buf *out)
{
	while (entries.len >= 4) {
		size_t length = load_u32(entries.ptr);
		record_append(out, RECORD_LEDGER, epoch, span_part(entries, 4, length), SPAN_EMPTY);
		entries = span_skip(entries, 4 + length);
	}
}

size_t ledger_scan(struct span bytes, uint64_t epoch,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg, uint64_t *count)
{
	size_t at = 0, end = 0;
	while (bytes.len - at >= RECORD_HEADER_SIZE) {
		struct record_header header;
		struct ledger_entry entry;
		struct span head, rest;
		if (record_decode(span_skip(bytes, at), epoch, &header, &head, &rest) !=
			RECORD_OK) {
			/* The end, or damage: what follows is still found. */
			at += 8;
			if (at > bytes.len)
				break;
			continue;
		}
		if (header.type == RECORD_LEDGER && ledger_entry_decode(head, &entry)) {
			visit(arg, &entry);
			++*count;
		}
		at += record_size(header.length);
		end = at;
	}
	return end;
}
