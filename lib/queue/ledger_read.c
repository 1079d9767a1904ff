/* The reading end of the ledger: see ledger.h.
 * SPDX-License-Identifier: ISC */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "queue/io_private.h"
#include "queue/ledger_private.h"
#include "queue/record.h"
#include "sys/directory.h"
#include "sys/fd.h"

#define WINDOW (1024u * 1024)
#define OVERLAP 8192u /* longer than any entry's record */

void ledger_make_name(char name[LEDGER_NAME_LENGTH], uint64_t number, const char *suffix)
{
	snprintf(name, LEDGER_NAME_LENGTH, "%016llx%s", (unsigned long long)number, suffix);
}

static bool parse_name(const char *name, const char *suffix, uint64_t *ret_number)
{
	struct span text = span_from_cstr(name);
	return text.len == 16 + strlen(suffix) && span_ends_with(text, span_from_cstr(suffix)) &&
	       span_to_hex_u64(span_head(text, 16), ret_number);
}

struct files {
	uint64_t *logs; /* ascending */
	size_t log_count;
	uint64_t snapshot; /* the highest */
	bool has_snapshot;
};

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static int list_files(int directory, struct files *ret_files)
{
	struct files files = {0};
	DIR *stream = directory_open(directory, ".");
	if (stream == NULL)
		return -errno;
	struct dirent *entry;
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		uint64_t number;
		if (parse_name(entry->d_name, LEDGER_LOG_SUFFIX, &number)) {
			files.logs =
				memory_resize(files.logs, files.log_count + 1, sizeof *files.logs);
			files.logs[files.log_count++] = number;
		} else if (parse_name(entry->d_name, LEDGER_SNAPSHOT_SUFFIX, &number) &&
			   (!files.has_snapshot || number > files.snapshot)) {
			files.snapshot = number;
			files.has_snapshot = true;
		}
	}
	int error = -errno;
	closedir(stream);
	if (error != 0) {
		free(files.logs);
		return error;
	}
	if (files.log_count > 1)
		qsort(files.logs, files.log_count, sizeof *files.logs, compare_numbers);
	*ret_files = files;
	return 0;
}

static int open_log(
	int directory, uint64_t number, const char *suffix, struct ledger_header *ret_header)
{
	char name[LEDGER_NAME_LENGTH], bytes[64];
	ledger_make_name(name, number, suffix);
	int fd = queue_io_open(directory, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	ssize_t n = fd_read_at(fd, bytes, sizeof bytes, 0);
	if (n >= 0 && ledger_header_decode(span_new(bytes, (size_t)n), ret_header) &&
		ret_header->number == number)
		return fd;
	close(fd);
	return n < 0 ? (int)n : -EIO;
}

/* Reads records up to limit (0: the end of the file). *ret_end: behind the last whole one. */
static int read_log(
	int fd, uint64_t epoch, uint64_t limit, struct ledger_reading *reading, uint64_t *ret_end)
{
	uint64_t offset = LEDGER_HEADER_SIZE, end = offset;
	char *window = memory_alloc(WINDOW);
	for (;;) {
		size_t want = WINDOW;
		if (limit != 0 && offset + want > limit)
			want = offset < limit ? (size_t)(limit - offset) : 0;
		ssize_t n = want == 0 ? 0 : fd_read_at(fd, window, want, offset);
		if (n < 0) {
			free(window);
			return (int)n;
		}
		size_t used = ledger_scan(span_new(window, (size_t)n), epoch, reading->visit,
			reading->arg, &reading->count);
		if (used > 0)
			end = offset + used;
		if ((size_t)n < WINDOW)
			break;
		offset += used > WINDOW - OVERLAP ? used : WINDOW - OVERLAP;
	}
	free(window);
	*ret_end = end;
	return 0;
}

static int read_snapshot(int directory, uint64_t number, struct ledger_reading *reading)
{
	struct ledger_header header;
	uint64_t end;
	int fd = open_log(directory, number, LEDGER_SNAPSHOT_SUFFIX, &header);
	if (fd < 0)
		return fd;
	int error = read_log(fd, header.epoch, 0, reading, &end);
	close(fd);
	return error;
}

static int read_logs(int directory, const struct files *files, struct ledger_reading *reading)
{
	for (size_t i = 0; i < files->log_count; i++) {
		struct ledger_header header, next;
		uint64_t number = files->logs[i], end, limit = 0;
		if (number > reading->highest)
			reading->highest = number;
		if (files->has_snapshot && number <= files->snapshot)
			continue;
		int fd = open_log(directory, number, LEDGER_LOG_SUFFIX, &header);
		if (fd < 0)
			return fd;
		if (i + 1 < files->log_count && files->logs[i + 1] == number + 1) {
			int after = open_log(directory, number + 1, LEDGER_LOG_SUFFIX, &next);
			if (after >= 0) {
				limit = next.previous_length;
				close(after);
			}
		}
		int error = read_log(fd, header.epoch, limit, reading, &end);
		close(fd);
		if (error != 0)
			return error;
		reading->last_length = end;
		reading->bytes += end - LEDGER_HEADER_SIZE;
	}
	return 0;
}

int ledger_read_directory(int directory, struct ledger_reading *reading)
{
	struct files files = {0};
	int error = list_files(directory, &files);
	if (error != 0)
		return error;
	if (files.has_snapshot) {
		reading->highest = files.snapshot;
		error = read_snapshot(directory, files.snapshot, reading);
	}
	if (error == 0)
		error = read_logs(directory, &files, reading);
	free(files.logs);
	return error;
}

int ledger_read(const char *queue_directory,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg, uint64_t *ret_count)
{
	/* A snapshot may take the place of the logs while they are read: then once more. The
	 * entries are assignments, so seeing them twice is harmless. */
	struct ledger_reading reading = {.visit = visit, .arg = arg};
	int directory = queue_io_open_directory(queue_directory, "ledger");
	if (directory < 0)
		return directory;
	int error = -ENOENT;
	for (int i = 0; i < 5 && error == -ENOENT; i++)
		error = ledger_read_directory(directory, &reading);
	close(directory);
	if (error == 0)
		*ret_count = reading.count;
	return error;
}

void ledger_remove_older(int directory, uint64_t number)
{
	DIR *stream = directory_open(directory, ".");
	struct dirent *entry;
	if (stream == NULL)
		return;
	while ((entry = readdir(stream)) != NULL) {
		uint64_t found;
		if ((parse_name(entry->d_name, LEDGER_LOG_SUFFIX, &found) && found <= number) ||
			(parse_name(entry->d_name, LEDGER_SNAPSHOT_SUFFIX, &found) &&
				found < number))
			unlinkat(directory, entry->d_name, 0);
	}
	closedir(stream);
}
