/* Framing, envelopes, recipients, queue ids, ledger entries: torn at every byte, every bit flipped.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/check.h"
#include "queue/envelope.h"
#include "queue/ledger_private.h"
#include "queue/queue_id.h"
#include "queue/record.h"

#define EPOCH 0x1122334455667788u

static struct queue_envelope sample_envelope(struct buf *recipients)
{
	static const struct queue_recipient list[] = {
		{SPAN("a@example.com"), SPAN("a@example.com"), SPAN(""), 0},
		{SPAN("b@example.com"), SPAN("alias@example.com"), SPAN("rfc822;x@y"), 7},
	};
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		assert_true(queue_recipient_append(recipients, &list[i]));
	return (struct queue_envelope){.queue_id = SPAN("0123ABC"),
		.sender = SPAN("s@example.org"),
		.envid = SPAN_EMPTY,
		.helo = SPAN("client"),
		.arrival_ms = 1234567890123,
		.size = 5,
		.flags = QUEUE_8BITMIME,
		.recipient_count = 2,
		.recipients = buf_span(recipients)};
}

static void sample_record(struct buf *out)
{
	struct buf recipients = BUF_INIT(1000), head = BUF_INIT(1000);
	struct queue_envelope envelope = sample_envelope(&recipients);
	assert_true(queue_envelope_encode(&envelope, &head));
	record_append(out, RECORD_MESSAGE, EPOCH, buf_span(&head), SPAN("body\n"));
	assert_false(out->overflow);
	buf_done(&head);
	buf_done(&recipients);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct buf bytes = BUF_INIT(10000);
	struct record_header header;
	struct span head, rest;
	struct queue_envelope envelope;
	struct queue_recipient recipient;
	sample_record(&bytes);
	assert_int_equal(bytes.len % 8, 0);
	assert_int_equal(record_decode(buf_span(&bytes), EPOCH, &header, &head, &rest), RECORD_OK);
	assert_true(span_equal(rest, SPAN("body\n")));
	assert_true(queue_envelope_decode(head, &envelope));
	assert_true(span_equal(envelope.queue_id, SPAN("0123ABC")));
	assert_true(span_equal(envelope.sender, SPAN("s@example.org")));
	assert_true(span_equal(envelope.helo, SPAN("client")));
	assert_true(envelope.arrival_ms == 1234567890123 && envelope.size == 5);
	assert_int_equal(envelope.recipient_count, 2);
	struct span left = envelope.recipients;
	assert_true(queue_recipient_next(&left, &recipient));
	assert_true(span_equal(recipient.original, SPAN("a@example.com")));
	assert_true(queue_recipient_next(&left, &recipient));
	assert_true(span_equal(recipient.original, SPAN("alias@example.com")));
	assert_true(span_equal(recipient.orcpt, SPAN("rfc822;x@y")));
	assert_int_equal(recipient.notify, 7);
	assert_false(queue_recipient_next(&left, &recipient));
	assert_int_equal(left.len, 0);
	buf_done(&bytes);
}

/* A record cut at any byte (zeros or the end of the file behind it) is never taken for a whole one.
 */
static void test_torn_at_every_byte(void **state)
{
	(void)state;
	struct buf bytes = BUF_INIT(10000);
	struct record_header header;
	struct span head, rest;
	sample_record(&bytes);
	char *zeroed = test_malloc(bytes.len);
	/* The padding at the end is not checked: zeros are what belongs there. */
	size_t last = bytes.len;
	while (bytes.ptr[last - 1] == '\0')
		last--;
	for (size_t cut = 0; cut < bytes.len; cut++)
		assert_int_not_equal(
			record_decode(span_new(bytes.ptr, cut), EPOCH, &header, &head, &rest),
			RECORD_OK);
	for (size_t cut = 0; cut < last; cut++) {
		memcpy(zeroed, bytes.ptr, cut);
		memset(zeroed + cut, 0, bytes.len - cut);
		assert_int_not_equal(
			record_decode(span_new(zeroed, bytes.len), EPOCH, &header, &head, &rest),
			RECORD_OK);
	}
	test_free(zeroed);
	buf_done(&bytes);
}

static void test_every_bit_flip_is_seen(void **state)
{
	(void)state;
	struct buf bytes = BUF_INIT(10000);
	struct record_header header;
	struct span head, rest;
	sample_record(&bytes);
	assert_int_equal(record_decode(buf_span(&bytes), EPOCH, &header, &head, &rest), RECORD_OK);
	size_t covered = RECORD_HEADER_SIZE + header.length;
	for (size_t bit = 0; bit < covered * 8; bit++) {
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
		assert_int_not_equal(
			record_decode(buf_span(&bytes), EPOCH, &header, &head, &rest), RECORD_OK);
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
	}
	assert_int_equal(record_decode(buf_span(&bytes), EPOCH, &header, &head, &rest), RECORD_OK);
	assert_int_equal(
		record_decode(buf_span(&bytes), EPOCH + 1, &header, &head, &rest), RECORD_END);
	buf_done(&bytes);
}

static void test_limits(void **state)
{
	(void)state;
	static char long_text[QUEUE_ATTRIBUTE_MAX + 1];
	memset(long_text, 'x', sizeof long_text);
	struct buf out = BUF_INIT(100000);
	struct queue_envelope envelope = {.queue_id = SPAN("../etc/passwd")};
	assert_false(queue_envelope_encode(&envelope, &out));
	envelope.queue_id = SPAN("0123ABC");
	envelope.sender = span_new(long_text, sizeof long_text);
	assert_false(queue_envelope_encode(&envelope, &out));
	assert_int_equal(out.len, 0);
	struct queue_recipient recipient = {.address = span_new(long_text, QUEUE_ADDRESS_MAX + 1)};
	assert_false(queue_recipient_append(&out, &recipient));
	assert_int_equal(out.len, 0);
	buf_done(&out);
	out = BUF_INIT(20);
	recipient.address = SPAN("thirteen@long");
	assert_false(queue_recipient_append(&out, &recipient));
	buf_done(&out);
}

static void test_queue_ids(void **state)
{
	(void)state;
	struct queue_id_source source = {0};
	char id[QUEUE_ID_MAX], other[QUEUE_ID_MAX];
	assert_false(queue_id_new(&source, 1, id));
	queue_id_lease(&source, 3);
	assert_true(queue_id_new(&source, 1700000000123456, id));
	assert_string_equal(id, "1E240300000");
	/* The clock stands still or goes back: still unique. */
	assert_true(queue_id_new(&source, 1700000000123456, other));
	assert_string_not_equal(id, other);
	source.long_ids = true;
	assert_true(queue_id_new(&source, 1700000000123456, id));
	assert_true(queue_id_is_valid(span_from_cstr(id)));
	assert_int_equal(span_find_char(span_from_cstr(id), 'z'), 10);
	source.counter = 1u << QUEUE_ID_COUNTER_BITS;
	assert_false(queue_id_new(&source, 1, id));
	static const char *bad[] = {"", "ABC", "ABC/DEF", "..ABCDEF", "ABCDE ", "ABCDEF\n"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(queue_id_is_valid(span_from_cstr(bad[i])));
}

static struct ledger_entry last_entry;
static void keep_entry(void *arg, const struct ledger_entry *entry)
{
	(void)arg;
	last_entry = *entry;
}

static void test_ledger_entries(void **state)
{
	(void)state;
	struct buf entries = BUF_INIT(10000), framed = BUF_INIT(10000);
	struct ledger_entry entry = {.kind = LEDGER_DEFERRED,
		.queue_id = SPAN("0123ABC"),
		.first = 7,
		.count = 2,
		.time_ms = -5,
		.value = 9,
		.dsn = SPAN("4.4.1"),
		.text = SPAN("no route"),
		.remote_mta = SPAN("mx"),
		.diagnostic = SPAN("x"),
		.boot = {1, 2, 3}};
	uint64_t count = 0;
	ledger_entry_encode(&entry, &entries);
	entry.kind = LEDGER_DONE;
	ledger_entry_encode(&entry, &entries);
	ledger_frame(buf_span(&entries), EPOCH, &framed);
	assert_int_equal(
		ledger_scan(buf_span(&framed), EPOCH, keep_entry, NULL, &count), framed.len);
	assert_int_equal(count, 2);
	assert_int_equal(last_entry.kind, LEDGER_DONE);
	assert_true(span_equal(last_entry.text, SPAN("no route")));
	assert_true(last_entry.time_ms == -5 && last_entry.value == 9 && last_entry.boot[2] == 3);
	/* Torn anywhere: only whole entries are seen; the first damaged: the second is found all
	 * the same. */
	for (size_t cut = 0; cut < framed.len; cut++) {
		count = 0;
		ledger_scan(span_new(framed.ptr, cut), EPOCH, keep_entry, NULL, &count);
		assert_true(count == (cut >= framed.len / 2 ? 1 : 0));
	}
	framed.ptr[40] ^= 1;
	count = 0;
	assert_int_equal(
		ledger_scan(buf_span(&framed), EPOCH, keep_entry, NULL, &count), framed.len);
	assert_int_equal(count, 1);
	buf_done(&entries);
	buf_done(&framed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_torn_at_every_byte),
		cmocka_unit_test(test_every_bit_flip_is_seen),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_queue_ids),
		cmocka_unit_test(test_ledger_entries),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
