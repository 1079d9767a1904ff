/* tambo-keywords; see keyword_log_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/keyword_log_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "store/file_private.h"

#define REWRITE_ABOVE (1 << 20)

void keyword_log_init(struct keyword_log *log)
{
	buf_init(&log->text, KEYWORD_LOG_MAX);
	table_init(&log->lines);
}

void keyword_log_done(struct keyword_log *log)
{
	buf_done(&log->text);
	table_done(&log->lines, NULL);
}

void keyword_log_parse(struct keyword_log *log)
{
	struct span text = buf_span(&log->text);
	struct span rest = text;
	while (rest.len > 0) {
		size_t offset = (size_t)(rest.ptr - text.ptr);
		size_t end = span_find_char(rest, '\n');
		if (end == SIZE_MAX)
			return; /* torn: never answered OK */
		struct span line = span_head(rest, end);
		rest = span_skip(rest, end + 1);
		struct span names = line;
		uint64_t uid;
		if (!span_to_u64(span_split(&names, ' '), UINT32_MAX, &uid) || uid == 0)
			continue;
		uint32_t key = (uint32_t)uid;
		(void)table_put(&log->lines, span_new(&key, sizeof(key)), (void *)(uintptr_t)(offset + 1));
	}
}

int keyword_log_load(int dir_fd, struct keyword_log *log)
{
	int error = file_read_present_at(dir_fd, KEYWORD_LOG_FILE, &log->text);
	if (error == 0)
		keyword_log_parse(log);
	return error == -ENOENT ? 0 : error;
}

static int compare_numbers(const void *left, const void *right)
{
	return (int)*(const uint16_t *)left - (int)*(const uint16_t *)right;
}

size_t keyword_log_get(const struct keyword_log *log, const struct record *record, uint32_t uid,
	uint16_t *out)
{
	uintptr_t at = (uintptr_t)table_get(&log->lines, span_new(&uid, sizeof(uid)));
	if (at == 0)
		return 0;
	struct span rest = span_skip(buf_span(&log->text), at - 1);
	struct span line = span_split(&rest, '\n');
	size_t count = 0;
	(void)span_split(&line, ' ');
	while (line.ptr != NULL && count < STORE_KEYWORDS_MAX) {
		size_t number = record_keyword_find(record, span_split(&line, ' '));
		bool seen = number == SIZE_MAX || number < 26;
		for (size_t i = 0; i < count && !seen; i++)
			seen = out[i] == number;
		if (!seen)
			out[count++] = (uint16_t)number;
	}
	qsort(out, count, sizeof(*out), compare_numbers);
	return count;
}

void keyword_log_format(const struct record *record, uint32_t uid, const uint16_t *keywords,
	size_t count, struct buf *text)
{
	buf_append_u64(text, uid);
	for (size_t i = 0; i < count; i++)
		if (keywords[i] >= 26 && keywords[i] < record->keyword_count
			&& record->keywords[keywords[i]] != NULL) {
			buf_append_char(text, ' ');
			buf_append_cstr(text, record->keywords[keywords[i]]);
		}
	buf_append_char(text, '\n');
}

struct rewriting {
	const struct record *record;
	struct buf text;
};

static bool write_row(const struct index_row *row, void *arg)
{
	struct rewriting *rewriting = arg;
	if (row->keyword_count > 0 && row->keywords[row->keyword_count - 1] >= 26)
		keyword_log_format(rewriting->record, row->uid, row->keywords, row->keyword_count,
			&rewriting->text);
	return true;
}

/* What the index has: each line that was appended is there once its change was committed. */
static int rewrite(struct folder *folder)
{
	struct rewriting rewriting = {&folder->record, BUF_INIT(KEYWORD_LOG_MAX)};
	struct index_txn txn;
	struct index_folder row;
	int error = index_begin(folder->store->index, false, &txn);
	if (error != 0)
		return error;
	bool known = index_get_folder(&txn, folder_dir(folder), &row);
	if (known)
		index_each_row(&txn, row.id, 1, write_row, &rewriting);
	index_abort(&txn);
	error = txn.error;
	if (error == 0 && known && !rewriting.text.overflow) {
		error = file_replace_at(folder->dir_fd, KEYWORD_LOG_FILE, buf_span(&rewriting.text));
		folder->log_size = (int64_t)rewriting.text.len;
	}
	buf_done(&rewriting.text);
	return error;
}

int keyword_log_append(struct folder *folder, struct span lines)
{
	struct stat st;
	if (lines.len == 0)
		return 0;
	if (fstatat(folder->dir_fd, KEYWORD_LOG_FILE, &st, 0) == 0 && st.st_size > REWRITE_ABOVE
		&& st.st_size > 2 * folder->log_size) {
		int error = rewrite(folder);
		if (error != 0)
			return error;
	}
	return file_append_at(folder->dir_fd, KEYWORD_LOG_FILE, lines);
}
