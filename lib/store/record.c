/* tambo-mailbox; see record_private.h and tambo-maildir(5).
 * SPDX-License-Identifier: ISC */
#include "store/record_private.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "base/memory.h"

#define MAGIC "tambo-mailbox 1\n"

void record_init(struct record *record)
{
	*record = (struct record){0};
}

void record_done(struct record *record)
{
	for (size_t i = 0; i < record->keyword_count; i++)
		free(record->keywords[i]);
	free(record->keywords);
	record_init(record);
}

bool record_keyword_is_valid(struct span name)
{
	if (name.len == 0 || name.len > STORE_KEYWORD_LEN)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\]", c) != NULL)
			return false;
	}
	return true;
}

size_t record_keyword_find(const struct record *record, struct span name)
{
	for (size_t i = 0; i < record->keyword_count; i++)
		if (record->keywords[i] != NULL
			&& span_equal_nocase(span_from_cstr(record->keywords[i]), name))
			return i;
	return SIZE_MAX;
}

bool record_keyword_put(struct record *record, size_t number, struct span name)
{
	if (number >= STORE_KEYWORDS_MAX || !record_keyword_is_valid(name)
		|| record_keyword_find(record, name) != SIZE_MAX
		|| (number < record->keyword_count && record->keywords[number] != NULL))
		return false;
	if (number >= record->keyword_count) {
		record->keywords = memory_resize(record->keywords, number + 1, sizeof(char *));
		while (record->keyword_count <= number)
			record->keywords[record->keyword_count++] = NULL;
	}
	record->keywords[number] = span_dup_cstr(name);
	return true;
}

size_t record_keyword_add(struct record *record, struct span name)
{
	size_t number = 0;
	while (number < record->keyword_count && record->keywords[number] != NULL)
		number++;
	return record_keyword_put(record, number, name) ? number : SIZE_MAX;
}

static bool parse_keyword(struct span value, struct record *record)
{
	struct span rest = value;
	uint64_t number;
	struct span first = span_split(&rest, ' ');
	return rest.ptr != NULL && span_to_u64(first, STORE_KEYWORDS_MAX - 1, &number)
		&& record_keyword_put(record, (size_t)number, rest);
}

static bool parse_line(struct span line, struct record *record)
{
	struct span rest = line;
	struct span key = span_split(&rest, ' ');
	uint64_t value;
	if (rest.ptr == NULL)
		return false;
	if (span_equal(key, SPAN("keyword")))
		return parse_keyword(rest, record);
	if (span_equal(key, SPAN("uidvalidity")) && span_to_u64(rest, UINT32_MAX, &value)) {
		record->uidvalidity = (uint32_t)value;
		return true;
	}
	if (span_equal(key, SPAN("uidnext")) && span_to_u64(rest, UINT32_MAX, &value)) {
		record->uidnext_mark = (uint32_t)value;
		return true;
	}
	if (span_equal(key, SPAN("modseq")) && span_to_u64(rest, INT64_MAX, &value)) {
		record->modseq_mark = value;
		return true;
	}
	return false;
}

/* The last line is "crc HEX" over everything before it. */
static bool check_crc(struct span *text)
{
	static const char tag[] = "crc ";
	if (text->len < sizeof(tag) + 8 || text->ptr[text->len - 1] != '\n')
		return false;
	struct span without_newline = span_head(*text, text->len - 1);
	size_t start = span_find_last_char(without_newline, '\n');
	if (start == SIZE_MAX)
		return false;
	struct span line = span_skip(without_newline, start + 1);
	uint64_t crc;
	if (!span_starts_with(line, SPAN("crc ")) || !span_to_hex_u64(span_skip(line, 4), &crc))
		return false;
	*text = span_head(*text, start + 1);
	return crc32c(0, text->ptr, text->len) == crc;
}

bool record_parse(struct span text, struct record *ret_record)
{
	if (text.len > RECORD_SIZE_MAX || !span_starts_with(text, SPAN(MAGIC)) || !check_crc(&text))
		return false;
	struct record record;
	record_init(&record);
	struct span rest = span_skip(text, sizeof(MAGIC) - 1);
	bool good = true;
	while (good && rest.len > 0)
		good = parse_line(span_split(&rest, '\n'), &record);
	if (!good || record.uidvalidity == 0 || record.uidnext_mark == 0) {
		record_done(&record);
		return false;
	}
	record_done(ret_record);
	*ret_record = record;
	return true;
}

void record_format(const struct record *record, struct buf *out)
{
	size_t start = out->len;
	buf_append_cstr(out, MAGIC);
	buf_append_format(out, "uidvalidity %u\nuidnext %u\nmodseq %llu\n", record->uidvalidity,
		record->uidnext_mark, (unsigned long long)record->modseq_mark);
	for (size_t i = 0; i < record->keyword_count; i++)
		if (record->keywords[i] != NULL)
			buf_append_format(out, "keyword %zu %s\n", i, record->keywords[i]);
	if (!out->overflow)
		buf_append_format(out, "crc %08x\n", crc32c(0, out->ptr + start, out->len - start));
}
