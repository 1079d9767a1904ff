/* Head and records of tambo-arrivals; see arrivals_private.h. Pure.
 * SPDX-License-Identifier: ISC */
#include "store/arrivals_private.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "store/filename.h"

#define NAME_MAX_LEN 255

static const char magic[8] = "tamboar3";

struct file_head {
	char magic[8];
	uint32_t checksum; /* of what follows */
	uint32_t padding;
	struct arrivals_head says;
};

struct record_head {
	uint32_t checksum; /* of what follows */
	uint32_t length;   /* of head, name and cache */
	uint64_t life;
	uint32_t uid, name_length;
	int64_t internaldate;
	uint64_t size, crlf_size;
	int64_t mtime_before, mtime_after;
};

_Static_assert(sizeof(struct file_head) <= ARRIVALS_START, "the records begin behind the head");

void arrivals_head_format(const struct arrivals_head *head, struct buf *out)
{
	struct file_head file = {.says = *head};
	memcpy(file.magic, magic, sizeof(magic));
	file.checksum = crc32c(0, &file.says, sizeof(file.says));
	buf_append_bytes(out, &file, sizeof(file));
}

bool arrivals_head_parse(struct span bytes, struct arrivals_head *ret_head)
{
	struct file_head file;
	const struct arrivals_head *head = &file.says;
	if (bytes.len < sizeof(file))
		return false;
	memcpy(&file, bytes.ptr, sizeof(file));
	if (memcmp(file.magic, magic, sizeof(magic)) != 0 || file.padding != 0
		|| crc32c(0, head, sizeof(*head)) != file.checksum)
		return false;
	bool unseen = head->id == 0;
	if (head->uidvalidity == 0 || head->uidnext == 0 || head->uidnext > head->mark
		|| head->count > ARRIVALS_MAX || head->end < ARRIVALS_START
		|| head->end > ARRIVALS_SIZE_MAX || unseen != (head->record_inode == 0))
		return false;
	*ret_head = *head;
	return true;
}

static uint32_t checksum_of(struct span record)
{
	struct span rest = span_skip(record, sizeof(uint32_t));
	return crc32c(0, rest.ptr, rest.len);
}

void arrival_format(uint64_t life, const struct arrival *arrival, struct buf *out)
{
	size_t start = out->len;
	struct record_head head = {
		.length = (uint32_t)(sizeof(head) + arrival->name.len + arrival->cache.len),
		.life = life, .uid = arrival->uid, .internaldate = arrival->internaldate,
		.size = arrival->size, .crlf_size = arrival->crlf_size,
		.mtime_before = arrival->mtime_before, .mtime_after = arrival->mtime_after,
		.name_length = (uint32_t)arrival->name.len,
	};
	buf_append_bytes(out, &head, sizeof(head));
	buf_append(out, arrival->name);
	buf_append(out, arrival->cache);
	if (out->overflow)
		return;
	head.checksum = checksum_of(span_skip(buf_span(out), start));
	memcpy(out->ptr + start, &head.checksum, sizeof(head.checksum));
}

size_t arrival_length(struct span bytes, uint64_t life)
{
	struct record_head head;
	if (bytes.len < sizeof(head))
		return 0;
	memcpy(&head, bytes.ptr, sizeof(head));
	return head.life == life && head.length >= sizeof(head) && head.length <= ARRIVAL_SIZE_MAX
		? head.length : 0;
}

size_t arrival_parse(struct span bytes, uint64_t life, struct arrival *ret_arrival)
{
	struct record_head head;
	struct filename parsed;
	size_t length = arrival_length(bytes, life);
	if (length == 0 || length > bytes.len)
		return 0;
	memcpy(&head, bytes.ptr, sizeof(head));
	struct span record = span_head(bytes, length);
	struct span rest = span_skip(record, sizeof(head));
	if (checksum_of(record) != head.checksum || head.name_length > rest.len
		|| head.name_length > NAME_MAX_LEN
		|| !filename_parse(span_head(rest, head.name_length), &parsed))
		return 0;
	*ret_arrival = (struct arrival){
		.uid = head.uid, .internaldate = head.internaldate, .size = head.size,
		.crlf_size = head.crlf_size, .mtime_before = head.mtime_before,
		.mtime_after = head.mtime_after, .name = span_head(rest, head.name_length),
		.cache = span_skip(rest, head.name_length),
	};
	return length;
}
