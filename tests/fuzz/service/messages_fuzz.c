/* The internal messages between daemons: a payload of any type is refused or
 * decoded within its limits, and what was decoded encodes to the same bytes. The first byte chooses
 * the type.
 * SPDX-License-Identifier: ISC */
#include "round_trip.h"
#include "service/anvil.h"
#include "service/auth.h"
#include "service/cleanup.h"
#include "service/delivery.h"
#include "service/local.h"
#include "service/lookup.h"
#include "service/proxymap.h"
#include "service/qmgr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct message_type *const types[] = {
	&delivery_request_type, &delivery_reply_type, &delivery_checkpoint_type, &queue_added_type,
	&queue_released_type, &queue_list_type, &queue_item_type, &queue_command_type,
	&queue_result_type, &queue_compact_type, &queue_compacted_type, &bounce_request_type,
	&cleanup_open_type, &cleanup_ready_type, &cleanup_recipients_type, &cleanup_chunk_type,
	&cleanup_end_type, &cleanup_result_type, &anvil_count_type, &anvil_answer_type,
	&lookup_question_type, &lookup_answer_type, &auth_start_type, &auth_continue_type,
	&auth_reply_type, &session_user_type, &session_start_type, &session_begun_type,
	&local_work_type, &local_done_type,
	&map_question_type, &map_answer_type, &account_question_type,
	&account_answer_type,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union {
		struct delivery_request request;
		struct cleanup_open open;
		struct bounce_request bounce;
		struct queue_item item;
		uint64_t room[200];
	} message;
	if (size == 0)
		return 0;
	const struct message_type *type = types[data[0] % ARRAY_LEN(types)];
	struct span payload = span_new(data + 1, size - 1);
	struct arena arena;
	CHECK(type->size <= sizeof message);
	arena_init(&arena, 16 * 1024 * 1024);
	if (message_decode(type, payload, NULL, 0, &arena, &message) == 0)
		check_round_trip(type, &message, payload);
	arena_done(&arena);
	return 0;
}
