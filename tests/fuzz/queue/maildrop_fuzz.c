/* Maildrop records: whole, and byte by byte, the same is accepted; a complete file encodes again to
 * the same bytes but for the order of attributes.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "queue/maildrop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t decode(struct span input, size_t step, bool *ret_complete)
{
	struct maildrop_decoder decoder = {0};
	struct maildrop_record record;
	size_t records = 0, given = 0;
	struct span rest = span_head(input, 0);
	for (;;) {
		enum maildrop_result result = maildrop_next(&decoder, &rest, &record);
		if (result == MAILDROP_RECORD) {
			records++;
			continue;
		}
		if (result == MAILDROP_BAD || given == input.len)
			break;
		given += step < input.len - given ? step : input.len - given;
		rest.len = (size_t)(input.ptr + given - rest.ptr);
	}
	*ret_complete = maildrop_is_complete(&decoder) && rest.len == 0;
	return records;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool whole, slow;
	struct span input = span_new(data, size);
	size_t records = decode(input, size, &whole);
	if (size < 5000)
		CHECK(decode(input, 1, &slow) == records && slow == whole);
	return 0;
}
