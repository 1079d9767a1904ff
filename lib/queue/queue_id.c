/* See queue_id.h.
 * SPDX-License-Identifier: ISC */
#include "queue/queue_id.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/check.h"

/* Without vowels, so that no word appears; base 51 is base 52 without the 'z' that divides. */
static const char digits[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

void queue_id_lease(struct queue_id_source *source, uint64_t lease)
{
	source->lease = lease;
	source->counter = 0;
}

/* At least width digits, at most 13. Returns the end. */
static char *put_number(char *out, uint64_t value, unsigned base, unsigned width)
{
	char reversed[64];
	unsigned n = 0;
	while (value > 0 || n < width || n == 0) {
		reversed[n++] = digits[value % base];
		value /= base;
	}
	while (n > 0)
		*out++ = reversed[--n];
	return out;
}

bool queue_id_new(struct queue_id_source *source, int64_t now_us, char ret_id[QUEUE_ID_MAX])
{
	if (source->lease == 0 || source->counter >= 1u << QUEUE_ID_COUNTER_BITS ||
		source->lease >= 1ull << (64 - QUEUE_ID_COUNTER_BITS))
		return false;
	uint64_t number = source->lease << QUEUE_ID_COUNTER_BITS | source->counter++;
	uint64_t now = now_us < 0 ? 0 : (uint64_t)now_us;
	uint64_t seconds = now / 1000000, microseconds = now % 1000000;
	if (!source->long_ids) {
		snprintf(ret_id, QUEUE_ID_MAX, "%05llX%llX", (unsigned long long)microseconds,
			(unsigned long long)number);
		return true;
	}
	CHECK(sizeof digits == 53);
	char *end = put_number(ret_id, seconds, 52, 6);
	end = put_number(end, microseconds, 52, 4);
	*end++ = 'z';
	end = put_number(end, number, 51, 1);
	*end = '\0';
	return true;
}

bool queue_id_is_valid(struct span id)
{
	if (id.len < 6 || id.len >= QUEUE_ID_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (!ascii_is_alnum(id.ptr[i]))
			return false;
	return true;
}
