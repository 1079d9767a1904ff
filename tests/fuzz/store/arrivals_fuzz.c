/* Records of deliveries that wait for the index: any bytes, also with the checksum, length and row
 * that make them count, are refused, or are a message within bounds.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "store/arrivals_private.h"

#define HEAD_SIZE 80 /* checksum, length, id, uid, generation, modseq ... */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct span bytes, const struct index_folder *row)
{
	struct arrival arrival;
	size_t length = arrival_parse(bytes, row, &arrival);
	if (length == 0)
		return;
	CHECK(length <= bytes.len && arrival.name.len > 0 && arrival.name.len <= 255);
	CHECK(arrival.cache.ptr + arrival.cache.len == bytes.ptr + length);
	struct arrival again;
	struct buf out = BUF_INIT(ARRIVAL_SIZE_MAX);
	arrival_format(row, &arrival, &out);
	CHECK(out.len == length && arrival_parse(buf_span(&out), row, &again) == length);
	CHECK(span_equal(again.name, arrival.name) && again.uid == arrival.uid);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index_folder row = {0};
	parse(span_new(data, size), &row);
	if (size < HEAD_SIZE || size > ARRIVAL_SIZE_MAX)
		return 0;
	uint8_t *copy = memory_alloc(size);
	uint32_t length = (uint32_t)size;
	memcpy(copy, data, size);
	memcpy(copy + 4, &length, sizeof(length));
	memcpy(&row.id, copy + 8, sizeof(row.id));
	memcpy(&row.generation, copy + 16, sizeof(row.generation));
	memcpy(&row.highestmodseq, copy + 24, sizeof(row.highestmodseq));
	uint32_t checksum = crc32c(0, copy + 4, size - 4);
	memcpy(copy, &checksum, sizeof(checksum));
	parse(span_new(copy, size), &row);
	free(copy);
	return 0;
}
