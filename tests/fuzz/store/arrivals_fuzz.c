/* tambo-arrivals: any bytes, as its head and as a record, also with the checksums, length and life
 * that make them count, are refused, or are within bounds.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "store/arrivals_private.h"

#define RECORD_SIZE 64 /* checksum, length, life ... */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse_head(struct span bytes)
{
	struct arrivals_head head, again;
	struct buf out = BUF_INIT(ARRIVALS_START);
	if (!arrivals_head_parse(bytes, &head))
		return;
	CHECK(head.end >= ARRIVALS_START && head.end <= ARRIVALS_SIZE_MAX && head.uidnext > 0);
	CHECK(head.count <= ARRIVALS_MAX && head.uidnext <= head.mark && head.uidvalidity > 0);
	arrivals_head_format(&head, &out);
	CHECK(arrivals_head_parse(buf_span(&out), &again));
	CHECK(memcmp(&head, &again, sizeof(head)) == 0);
	buf_done(&out);
}

static void parse_record(struct span bytes, uint64_t life)
{
	struct arrival arrival;
	size_t length = arrival_parse(bytes, life, &arrival);
	if (length == 0)
		return;
	CHECK(length == arrival_length(bytes, life));
	CHECK(length <= bytes.len && arrival.name.len > 0 && arrival.name.len <= 255);
	CHECK(arrival.cache.ptr + arrival.cache.len == bytes.ptr + length);
	struct arrival again;
	struct buf out = BUF_INIT(ARRIVAL_SIZE_MAX);
	arrival_format(life, &arrival, &out);
	CHECK(out.len == length && arrival_parse(buf_span(&out), life, &again) == length);
	CHECK(span_equal(again.name, arrival.name) && again.uid == arrival.uid);
	buf_done(&out);
}

/* With a checksum of what stands behind it at that offset. */
static void seal(uint8_t *bytes, size_t at, size_t from, size_t end)
{
	uint32_t checksum = crc32c(0, bytes + from, end - from);
	memcpy(bytes + at, &checksum, sizeof(checksum));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arrivals_head head;
	struct buf out = BUF_INIT(ARRIVALS_START);
	parse_head(span_new(data, size));
	parse_record(span_new(data, size), 0);
	if (size < RECORD_SIZE || size > ARRIVAL_SIZE_MAX)
		return 0;
	uint8_t *copy = memory_alloc(size);
	uint32_t length = (uint32_t)size;
	uint64_t life;
	memcpy(copy, data, size);
	memcpy(copy + 4, &length, sizeof(length));
	memcpy(&life, copy + 8, sizeof(life));
	seal(copy, 0, 4, size);
	parse_record(span_new(copy, size), life);
	if (size >= sizeof(head)) {
		memcpy(&head, data, sizeof(head));
		arrivals_head_format(&head, &out);
		parse_head(buf_span(&out));
	}
	buf_done(&out);
	free(copy);
	return 0;
}
