/* The index of queued messages: runs of recipient states, segments, what the ledger says.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/check.h"
#include "queue/index.h"

static const uint8_t this_boot[16] = {1}, other_boot[16] = {2};

static struct queue_entry *add(struct queue_index *index, const char *id, uint64_t segment,
	uint64_t offset, uint32_t recipients)
{
	struct queue_position position = {segment, offset, 100};
	struct queue_envelope envelope = {.queue_id = span_from_cstr(id), .sender = SPAN("s@x.test"),
		.arrival_ms = 1000, .size = 50, .recipient_count = recipients};
	return queue_index_add(index, &position, &envelope);
}

static struct ledger_entry said(enum ledger_kind kind, const char *id, uint32_t first,
	uint32_t count)
{
	struct ledger_entry entry = {.kind = kind, .queue_id = span_from_cstr(id), .first = first,
		.count = count, .dsn = SPAN("4.1.1"), .text = SPAN("why"), .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	memcpy(entry.boot, this_boot, 16);
	return entry;
}

static void apply(struct queue_index *index, enum ledger_kind kind, const char *id, uint32_t first,
	uint32_t count)
{
	struct ledger_entry entry = said(kind, id, first, count);
	queue_index_apply(index, &entry, this_boot);
}

static void test_runs_against_a_plain_array(void **state)
{
	(void)state;
	enum { RECIPIENTS = 60, STEPS = 20000 };
	struct queue_index index;
	queue_index_init(&index);
	struct queue_entry *entry = add(&index, "AAAAAA1", 1, 4096, RECIPIENTS);
	struct queue_reason *reasons[2] = {
		queue_index_reason(&index, SPAN("4.0.0"), SPAN("a"), SPAN_EMPTY, SPAN_EMPTY),
		queue_index_reason(&index, SPAN("4.0.0"), SPAN("b"), SPAN_EMPTY, SPAN_EMPTY)};
	struct {
		enum recipient_state state;
		struct queue_reason *reason;
	} plain[RECIPIENTS] = {0};
	uint32_t random = 1;
	for (int step = 0; step < STEPS; step++) {
		random = random * 1103515245u + 12345u;
		uint32_t first = (random >> 8) % RECIPIENTS, count = 1 + (random >> 16) % 9;
		enum recipient_state new_state = (enum recipient_state)((random >> 20) % 5);
		bool has_reason = new_state == RECIPIENT_DEFERRED || new_state == RECIPIENT_BOUNCED;
		struct queue_reason *reason = has_reason ? reasons[(random >> 24) % 2] : NULL;
		queue_entry_set(&index, entry, first, count, new_state, reason);
		for (uint32_t i = first; i < first + count && i < RECIPIENTS; i++) {
			plain[i].state = new_state;
			plain[i].reason = reason;
		}
		for (uint32_t i = 0; i < RECIPIENTS; i++) {
			struct queue_run run = queue_entry_run_at(entry, i);
			assert_int_equal(run.state, plain[i].state);
			assert_ptr_equal(run.reason, plain[i].reason);
			assert_true(run.first <= i && i < run.first + run.count);
		}
		/* neighbours in the same state share one run */
		for (uint32_t i = 1; i < entry->run_count; i++)
			assert_true(entry->runs[i - 1].first + entry->runs[i - 1].count <=
				entry->runs[i].first);
	}
	queue_entry_set(&index, entry, 0, RECIPIENTS, RECIPIENT_DONE, NULL);
	assert_int_equal(entry->run_count, 1);
	assert_int_equal(reasons[0]->users, 1);
	assert_int_equal(reasons[1]->users, 1);
	queue_reason_drop(&index, reasons[0]);
	queue_reason_drop(&index, reasons[1]);
	assert_int_equal(index.reasons.count, 0);
	queue_index_done(&index);
}

static void test_reasons_are_shared(void **state)
{
	(void)state;
	struct queue_index index;
	queue_index_init(&index);
	add(&index, "AAAAAA1", 1, 4096, 3);
	add(&index, "AAAAAA2", 1, 4196, 3);
	apply(&index, LEDGER_DEFERRED, "AAAAAA1", 0, 3);
	apply(&index, LEDGER_DEFERRED, "AAAAAA2", 1, 1);
	assert_int_equal(index.reasons.count, 1);
	struct queue_run run = queue_entry_run_at(queue_index_get(&index, SPAN("AAAAAA2")), 1);
	assert_string_equal(run.reason->dsn, "4.1.1");
	assert_string_equal(run.reason->text, "why");
	assert_int_equal(run.reason->users, 2);
	queue_index_remove(&index, queue_index_get(&index, SPAN("AAAAAA1")));
	queue_index_remove(&index, queue_index_get(&index, SPAN("AAAAAA2")));
	assert_int_equal(index.reasons.count, 0);
	queue_index_done(&index);
}

static void test_ledger_entries(void **state)
{
	(void)state;
	struct queue_index index;
	queue_index_init(&index);
	struct queue_entry *entry = add(&index, "AAAAAA1", 1, 4096, 10);
	apply(&index, LEDGER_SENT, "AAAAAA1", 0, 2);
	apply(&index, LEDGER_BOUNCED, "AAAAAA1", 2, 1);
	apply(&index, LEDGER_DEFERRED, "AAAAAA1", 3, 100); /* more than there are: clipped */
	apply(&index, LEDGER_SENT, "ZZZZZZ9", 0, 1);         /* not known: passed over */
	assert_int_equal(queue_entry_count(entry, RECIPIENT_DONE), 2);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_BOUNCED), 1);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_DEFERRED), 7);
	apply(&index, LEDGER_RETURNED, "AAAAAA1", 2, 1);
	assert_int_equal(queue_entry_count(entry, RECIPIENT_DONE), 3);
	struct ledger_entry retry = said(LEDGER_RETRY, "AAAAAA1", 0, 0);
	retry.time_ms = 5000;
	retry.value = 4;
	queue_index_apply(&index, &retry, this_boot);
	assert_int_equal(entry->next_try_ms, 5000);
	assert_int_equal(entry->tries, 4);
	apply(&index, LEDGER_HOLD, "AAAAAA1", 0, 0);
	assert_true(entry->flags & ENTRY_HELD);
	apply(&index, LEDGER_RELEASE, "AAAAAA1", 0, 0);
	assert_false(entry->flags & ENTRY_HELD);
	apply(&index, LEDGER_EXPIRE, "AAAAAA1", 0, 0);
	apply(&index, LEDGER_WARNED, "AAAAAA1", 0, 0);
	assert_true((entry->flags & ENTRY_EXPIRE) && (entry->flags & ENTRY_WARNED));
	apply(&index, LEDGER_REQUEUE, "AAAAAA1", 0, 0);
	assert_int_equal(entry->next_try_ms, 0);
	apply(&index, LEDGER_DONE, "AAAAAA1", 0, 0);
	assert_int_equal(queue_index_sweep(&index), 1);
	assert_null(queue_index_get(&index, SPAN("AAAAAA1")));
	queue_index_done(&index);
}

static void test_written_counts_only_in_its_boot(void **state)
{
	(void)state;
	struct queue_index index;
	queue_index_init(&index);
	struct queue_entry *entry = add(&index, "AAAAAA1", 1, 4096, 2);
	apply(&index, LEDGER_WRITTEN, "AAAAAA1", 0, 1);
	struct ledger_entry old = said(LEDGER_WRITTEN, "AAAAAA1", 1, 1);
	memcpy(old.boot, other_boot, 16);
	queue_index_apply(&index, &old, this_boot);
	assert_int_equal(queue_entry_run_at(entry, 0).state, RECIPIENT_WRITTEN);
	assert_int_equal(queue_entry_run_at(entry, 1).state, RECIPIENT_PENDING);
	queue_index_done(&index);
}

static void test_segments_count_dead_and_live(void **state)
{
	(void)state;
	struct queue_index index;
	queue_index_init(&index);
	add(&index, "AAAAAA1", 7, 4096, 1);
	add(&index, "AAAAAA2", 7, 4196, 1);
	const struct queue_segment *segment = queue_index_segment(&index, 7);
	assert_int_equal(segment->live_count, 2);
	assert_int_equal(segment->live_bytes, 200);
	assert_int_equal(segment->known_end, 4296);
	/* told twice */
	assert_null(add(&index, "AAAAAA1", 7, 4096, 1));
	assert_int_equal(queue_index_segment(&index, 7)->dead_bytes, 0);
	queue_index_remove(&index, queue_index_get(&index, SPAN("AAAAAA1")));
	segment = queue_index_segment(&index, 7);
	assert_int_equal(segment->dead_bytes, 100);
	assert_int_equal(segment->live_count, 1);
	/* a record that is dead does not come back by being told again */
	assert_null(add(&index, "AAAAAA1", 7, 4096, 1));
	assert_null(queue_index_get(&index, SPAN("AAAAAA1")));
	/* a copy in a later segment counts from then on */
	assert_non_null(add(&index, "AAAAAA2", 9, 4096, 1));
	assert_int_equal(queue_index_get(&index, SPAN("AAAAAA2"))->position.segment, 9);
	segment = queue_index_segment(&index, 7);
	assert_int_equal(segment->live_count, 0);
	assert_int_equal(segment->dead_bytes, 200);
	queue_index_forget_segment(&index, 7);
	assert_int_equal(index.segment_count, 1);
	queue_index_done(&index);
}

static void test_an_older_copy_is_dead_whatever_the_order(void **state)
{
	(void)state;
	struct queue_index index;
	queue_index_init(&index);
	add(&index, "AAAAAA1", 9, 4096, 1);
	assert_null(add(&index, "AAAAAA1", 7, 4096, 1));
	assert_int_equal(queue_index_get(&index, SPAN("AAAAAA1"))->position.segment, 9);
	assert_int_equal(queue_index_segment(&index, 7)->dead_bytes, 100);
	assert_int_equal(queue_index_segment(&index, 7)->live_count, 0);
	queue_index_done(&index);
}

static void test_memory_of_a_deferred_message(void **state)
{
	(void)state;
	/* The promise: less than a kilobyte for each. What malloc and the table add is below 200. */
	struct queue_index index;
	queue_index_init(&index);
	struct queue_entry *entry = add(&index, "AAAAAA1", 1, 4096, 1);
	apply(&index, LEDGER_DEFERRED, "AAAAAA1", 0, 1);
	size_t own = sizeof *entry + strlen("AAAAAA1") + strlen("s@x.test") + 2 +
		entry->run_alloc * sizeof *entry->runs;
	assert_true(own + 200 < 512);
	queue_index_done(&index);
}

/* A compaction copied a message that was finished meanwhile: the copy is dead, not new mail. */
static void test_a_copy_of_a_finished_message_is_dead(void **state)
{
	(void)state;
	struct queue_index index;
	queue_index_init(&index);
	queue_index_remove(&index, add(&index, "AAAAAA1", 1, 4096, 1));
	struct queue_position copy = {2, 4096, 100};
	struct queue_envelope envelope = {.queue_id = SPAN("AAAAAA1"), .sender = SPAN("s@x.test"),
		.size = 50, .recipient_count = 1, .flags = QUEUE_COPIED};
	assert_null(queue_index_add(&index, &copy, &envelope));
	assert_null(queue_index_get(&index, SPAN("AAAAAA1")));
	assert_int_equal(queue_index_segment(&index, 2)->dead_bytes, 100);
	envelope.queue_id = SPAN("AAAAAA2"); /* alive: read back at the start */
	copy.offset += 100;
	assert_non_null(queue_index_add(&index, &copy, &envelope));
	queue_index_done(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_against_a_plain_array),
		cmocka_unit_test(test_reasons_are_shared),
		cmocka_unit_test(test_ledger_entries),
		cmocka_unit_test(test_written_counts_only_in_its_boot),
		cmocka_unit_test(test_segments_count_dead_and_live),
		cmocka_unit_test(test_an_older_copy_is_dead_whatever_the_order),
		cmocka_unit_test(test_a_copy_of_a_finished_message_is_dead),
		cmocka_unit_test(test_memory_of_a_deferred_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
