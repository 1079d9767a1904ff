/* Maildrop records: what is written is read, what is out of order or torn is refused.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/check.h"
#include "queue/maildrop.h"

/* Letters: the records in order; a lower case letter is a bad one of its kind. */
static void write_records(const char *letters, struct buf *out)
{
	struct maildrop_encoder encoder;
	maildrop_begin(&encoder, out);
	for (; *letters != '\0'; letters++) {
		switch (*letters) {
		case 'S':
			maildrop_append(&encoder, MAILDROP_SENDER, SPAN("s@x"), out);
			break;
		case 's':
			maildrop_append(&encoder, MAILDROP_SENDER, SPAN("s\n@x"), out);
			break;
		case 'F':
			maildrop_append(&encoder, MAILDROP_FULL_NAME, SPAN("Joe"), out);
			break;
		case 'V':
			maildrop_append(&encoder, MAILDROP_ENVID, SPAN("id"), out);
			break;
		case 'T':
			maildrop_append(&encoder, MAILDROP_RETURN, SPAN("\2"), out);
			break;
		case 't':
			maildrop_append(&encoder, MAILDROP_RETURN, SPAN("\3"), out);
			break;
		case 'R':
			maildrop_append_recipient(&encoder, SPAN("r@y"), SPAN("rfc822;z"), 3, out);
			break;
		case 'r':
			maildrop_append_recipient(&encoder, SPAN("r@y"), SPAN_EMPTY, 16, out);
			break;
		case 'C':
			maildrop_append(&encoder, MAILDROP_CONTENT, SPAN("text\n"), out);
			break;
		case 'E':
			maildrop_end(&encoder, out);
			break;
		case 'e':
			encoder.crc ^= 1;
			maildrop_end(&encoder, out);
			break;
		default:
			maildrop_append(&encoder, (uint8_t)*letters, SPAN("?"), out);
		}
	}
}

static enum maildrop_result read_all(struct span input, size_t *ret_count, bool *ret_complete)
{
	struct maildrop_decoder decoder = {0};
	struct maildrop_record record;
	enum maildrop_result result;
	*ret_count = 0;
	while ((result = maildrop_next(&decoder, &input, &record)) == MAILDROP_RECORD)
		++*ret_count;
	*ret_complete = maildrop_is_complete(&decoder) && input.len == 0;
	return result;
}

static void test_order(void **state)
{
	(void)state;
	static const struct {
		const char *name, *records;
		bool complete;
	} rows[] = {
		{"everything", "SFVTRRCCE", true},
		{"the least", "SRE", true},
		{"attributes in another order", "STVFRCE", true},
		{"no end", "SRC", false},
		{"no sender", "FRCE", false},
		{"two senders", "SSRE", false},
		{"an attribute twice", "SFFRE", false},
		{"an attribute behind recipients", "SRFE", false},
		{"no recipient", "SCE", false},
		{"no recipient, no content", "SE", false},
		{"a recipient behind content", "SRCRE", false},
		{"something behind the end", "SRCEC", false},
		{"two ends", "SRCEE", false},
		{"unknown type", "SXRCE", false},
		{"a line end in an address", "sRCE", false},
		{"a return value that is none", "StRCE", false},
		{"a notify value that is none", "SrCE", false},
		{"wrong checksum", "SRCe", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf bytes = BUF_INIT(10000);
		size_t count;
		bool complete;
		write_records(rows[i].records, &bytes);
		read_all(buf_span(&bytes), &count, &complete);
		if (complete != rows[i].complete)
			fail_msg("case: %s", rows[i].name);
		buf_done(&bytes);
	}
}

static void test_torn_and_flipped(void **state)
{
	(void)state;
	struct buf bytes = BUF_INIT(10000);
	size_t count;
	bool complete;
	write_records("SFVTRRCCE", &bytes);
	assert_int_equal(read_all(buf_span(&bytes), &count, &complete), MAILDROP_MORE);
	assert_int_equal(count, 9);
	for (size_t cut = 0; cut < bytes.len; cut++) {
		assert_int_equal(read_all(span_new(bytes.ptr, cut), &count, &complete), MAILDROP_MORE);
		assert_false(complete);
	}
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
		read_all(buf_span(&bytes), &count, &complete);
		assert_false(complete);
		bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
	}
	buf_done(&bytes);
}

static void test_long_content_becomes_pieces(void **state)
{
	(void)state;
	static char text[200000];
	struct buf bytes = BUF_INIT(1000000);
	struct maildrop_encoder encoder;
	size_t count;
	bool complete;
	maildrop_begin(&encoder, &bytes);
	maildrop_append(&encoder, MAILDROP_SENDER, SPAN_EMPTY, &bytes);
	maildrop_append_recipient(&encoder, SPAN("r"), SPAN_EMPTY, 0, &bytes);
	maildrop_append(&encoder, MAILDROP_CONTENT, span_new(text, sizeof text), &bytes);
	maildrop_append(&encoder, MAILDROP_CONTENT, SPAN_EMPTY, &bytes);
	maildrop_end(&encoder, &bytes);
	read_all(buf_span(&bytes), &count, &complete);
	assert_true(complete);
	assert_int_equal(count, 2 + 4 + 1);
	buf_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_torn_and_flipped),
		cmocka_unit_test(test_long_content_becomes_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
