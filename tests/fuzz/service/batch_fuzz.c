/* The messages about a batch of recipients, between local and its workers: a payload is refused or
 * decoded within its limits, and what was decoded encodes to the same bytes. The first bit chooses
 * the type.
 * SPDX-License-Identifier: ISC */
#include "round_trip.h"
#include "service/local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_batch(const struct local_batch *batch)
{
	CHECK(batch->item_count <= LOCAL_BATCH_MAX);
	for (size_t i = 0; i < batch->item_count; i++)
		CHECK(batch->items[i].headers.len <= LOCAL_HEADERS_MAX
			&& batch->items[i].base.len <= 255);
}

static void check_done(const struct local_batch_done *done)
{
	CHECK(done->outcome_count <= LOCAL_BATCH_MAX && done->flush_fd < 0);
	for (size_t i = 0; i < done->outcome_count; i++)
		CHECK(done->outcomes[i].result <= LOCAL_BOUNCED && done->outcomes[i].dsn.len <= 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union {
		struct local_batch batch;
		struct local_batch_done done;
	} message;
	if (size == 0)
		return 0;
	bool is_batch = data[0] % 2 == 0;
	const struct message_type *type = is_batch ? &local_batch_type : &local_batch_done_type;
	struct span payload = span_new(data + 1, size - 1);
	struct arena arena;
	arena_init(&arena, 16 * 1024 * 1024);
	if (message_decode(type, payload, NULL, 0, &arena, &message) == 0) {
		if (is_batch)
			check_batch(&message.batch);
		else
			check_done(&message.done);
		check_round_trip(type, &message, payload);
	}
	arena_done(&arena);
	return 0;
}
