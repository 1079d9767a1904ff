/* See segment.h.
 * SPDX-License-Identifier: ISC */
#include "queue/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/memory.h"
#include "queue/codec_private.h"
#include "queue/io_private.h"
#include "sys/directory.h"
#include "sys/fd.h"

#define SEGMENT_MAGIC 0x67736d54u /* "Tmsg" */
#define SEGMENT_VERSION 1
#define HEADER_BYTES 40 /* used; the checksum stands behind them */
#define NAME_MAX_LENGTH 40
#define CREATE_TRIES 100

static const char segment_suffix[] = ".seg", spare_suffix[] = ".spare", new_prefix[] = "new.";

static void make_name(char name[NAME_MAX_LENGTH], uint64_t number, const char *suffix)
{
	snprintf(name, NAME_MAX_LENGTH, "%016llx%s", (unsigned long long)number, suffix);
}

static bool parse_name(const char *name, const char *suffix, uint64_t *ret_number)
{
	struct span text = span_from_cstr(name);
	return text.len == 16 + strlen(suffix) && span_ends_with(text, span_from_cstr(suffix)) &&
	       span_to_hex_u64(span_head(text, 16), ret_number);
}

/* What is in journal/. */
struct listing {
	uint64_t highest; /* number of any file */
	uint64_t *segments, *spares;
	size_t segment_count, spare_count;
};

static void add_number(uint64_t **numbers, size_t *count, uint64_t number)
{
	if ((*count & (*count - 1)) == 0)
		*numbers = memory_resize(*numbers, *count == 0 ? 1 : *count * 2, sizeof **numbers);
	(*numbers)[(*count)++] = number;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

static void listing_done(struct listing *listing)
{
	free(listing->segments);
	free(listing->spares);
}

static int listing_read(int dir, struct listing *ret_listing)
{
	struct listing listing = {0};
	DIR *stream = directory_open(dir, ".");
	if (stream == NULL)
		return -errno;
	struct dirent *entry;
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		uint64_t number;
		if (parse_name(entry->d_name, segment_suffix, &number))
			add_number(&listing.segments, &listing.segment_count, number);
		else if (parse_name(entry->d_name, spare_suffix, &number))
			add_number(&listing.spares, &listing.spare_count, number);
		else
			continue;
		if (number > listing.highest)
			listing.highest = number;
	}
	int error = -errno;
	closedir(stream);
	if (error != 0) {
		listing_done(&listing);
		return error;
	}
	if (listing.segment_count > 1)
		qsort(listing.segments, listing.segment_count, sizeof(uint64_t), compare_numbers);
	if (listing.spare_count > 1)
		qsort(listing.spares, listing.spare_count, sizeof(uint64_t), compare_numbers);
	*ret_listing = listing;
	return 0;
}

static int write_header(struct segment *segment)
{
	unsigned char header[SEGMENT_HEADER_SIZE] = {0};
	if (getrandom(&segment->epoch, sizeof segment->epoch, 0) != sizeof segment->epoch)
		return -EIO;
	store_u32(header, SEGMENT_MAGIC);
	store_u32(header + 4, SEGMENT_VERSION);
	store_u64(header + 8, segment->number);
	store_u64(header + 16, segment->epoch);
	store_u64(header + 24, segment->size);
	store_u32(header + HEADER_BYTES, crc32c(0, header, HEADER_BYTES));
	int error = queue_io_write_at(segment->fd, header, sizeof header, 0);
	/* DURABLE: the header is on disk before the file gets its name. */
	return error != 0 ? error : queue_io_fsync(segment->fd);
}

static int read_header(int fd, struct segment *ret_segment)
{
	unsigned char header[HEADER_BYTES + 4];
	ssize_t n = fd_read_at(fd, header, sizeof header, 0);
	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof header || load_u32(header) != SEGMENT_MAGIC ||
		load_u32(header + 4) != SEGMENT_VERSION ||
		load_u32(header + HEADER_BYTES) != crc32c(0, header, HEADER_BYTES))
		return -EBADMSG;
	*ret_segment = (struct segment){.fd = fd,
		.number = load_u64(header + 8),
		.epoch = load_u64(header + 16),
		.size = load_u64(header + 24)};
	return 0;
}

/* Makes a zeroed, locked file under a name of its own. */
static int create_file(int dir, uint64_t size, char ret_name[NAME_MAX_LENGTH])
{
	uint64_t random;
	if (getrandom(&random, sizeof random, 0) != sizeof random)
		return -EIO;
	snprintf(ret_name, NAME_MAX_LENGTH, "%s%016llx", new_prefix, (unsigned long long)random);
	int fd = queue_io_open(dir, ret_name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return fd;
	int error = queue_io_lock(fd);
	if (error == 0)
		error = queue_io_zero(fd, 0, size);
	if (error == 0)
		return fd;
	unlinkat(dir, ret_name, 0);
	close(fd);
	return error;
}

/* Opens and locks a spare; makes it as long as wanted. */
static int take_spare(int dir, uint64_t number, uint64_t size, char ret_name[NAME_MAX_LENGTH])
{
	struct stat status, named;
	make_name(ret_name, number, spare_suffix);
	int fd = queue_io_open(dir, ret_name, O_RDWR, 0);
	if (fd < 0)
		return fd;
	int error = queue_io_lock(fd);
	if (error == 0 &&
		(fstat(fd, &status) < 0 || fstatat(dir, ret_name, &named, AT_SYMLINK_NOFOLLOW) < 0))
		error = -errno;
	/* Between opening and locking another process may have made a segment of it. */
	if (error == 0 && (status.st_ino != named.st_ino || status.st_dev != named.st_dev))
		error = -ENOENT;
	if (error == 0 && (uint64_t)status.st_size < size)
		error = queue_io_zero(fd, (uint64_t)status.st_size, size);
	if (error == 0 && (uint64_t)status.st_size > size)
		error = queue_io_truncate(fd, size);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

/* The lowest spare that nobody else takes, or a new file: fd or -errno. */
static int find_file(
	int dir, const struct listing *listing, uint64_t size, char ret_name[NAME_MAX_LENGTH])
{
	for (size_t i = 0; i < listing->spare_count; i++) {
		int fd = take_spare(dir, listing->spares[i], size, ret_name);
		if (fd >= 0)
			return fd;
	}
	return create_file(dir, size, ret_name);
}

/* One attempt; -EEXIST or -ENOENT: somebody else was quicker. */
static int create_once(int dir, uint64_t size, struct segment *ret_segment)
{
	struct listing listing;
	char from[NAME_MAX_LENGTH], to[NAME_MAX_LENGTH];
	int error = listing_read(dir, &listing);
	if (error != 0)
		return error;
	struct segment segment = {.number = listing.highest + 1, .size = size};
	segment.fd = find_file(dir, &listing, size, from);
	listing_done(&listing);
	if (segment.fd < 0)
		return segment.fd;
	make_name(to, segment.number, segment_suffix);
	error = write_header(&segment);
	if (error == 0)
		error = queue_io_rename_new(dir, from, to);
	bool renamed = error == 0;
	/* DURABLE: the name is on disk before any record is acknowledged. */
	if (error == 0)
		error = queue_io_fsync_directory(dir);
	if (error == 0) {
		*ret_segment = segment;
		return 0;
	}
	if (!renamed && strncmp(from, new_prefix, strlen(new_prefix)) == 0)
		unlinkat(dir, from, 0);
	close(segment.fd);
	return error;
}

int segment_create(int dir, uint64_t size, struct segment *ret_segment)
{
	if (size < SEGMENT_SIZE_MIN)
		size = SEGMENT_SIZE_MIN;
	int error = -EAGAIN;
	for (int i = 0; i < CREATE_TRIES; i++) {
		error = create_once(dir, size, ret_segment);
		if (error != -EEXIST && error != -ENOENT)
			break;
	}
	return error;
}

int segment_prepare_spare(int dir, uint64_t size)
{
	struct listing listing;
	char from[NAME_MAX_LENGTH], to[NAME_MAX_LENGTH];
	int error = listing_read(dir, &listing);
	if (error != 0)
		return error;
	size_t spares = listing.spare_count;
	/* A spare has a number too; a gap in the sequence is harmless. */
	make_name(to, listing.highest + 1, spare_suffix);
	listing_done(&listing);
	if (spares > 0)
		return 0;
	int fd = create_file(dir, size < SEGMENT_SIZE_MIN ? SEGMENT_SIZE_MIN : size, from);
	if (fd < 0)
		return fd;
	error = queue_io_fsync(fd);
	if (error == 0)
		error = queue_io_rename_new(dir, from, to);
	if (error != 0)
		unlinkat(dir, from, 0);
	close(fd);
	return error;
}

int segment_open(int dir, uint64_t number, struct segment *ret_segment)
{
	char name[NAME_MAX_LENGTH];
	struct segment segment = {.fd = -1};
	struct stat status;
	make_name(name, number, segment_suffix);
	int fd = queue_io_open(dir, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	int error = read_header(fd, &segment);
	if (error == 0 && fstat(fd, &status) < 0)
		error = -errno;
	if (error == 0 && segment.number != number)
		error = -EBADMSG;
	if (error != 0) {
		close(fd);
		return error;
	}
	if ((uint64_t)status.st_size < segment.size)
		segment.size = (uint64_t)status.st_size;
	*ret_segment = segment;
	return 0;
}

void segment_close(struct segment *segment)
{
	if (segment->fd >= 0)
		close(segment->fd);
	*segment = (struct segment){.fd = -1};
}

int segment_retire(int dir, uint64_t number, size_t spares)
{
	char name[NAME_MAX_LENGTH], spare[NAME_MAX_LENGTH];
	struct listing listing;
	make_name(name, number, segment_suffix);
	make_name(spare, number, spare_suffix);
	int fd = queue_io_open(dir, name, O_RDONLY, 0);
	if (fd < 0)
		return fd;
	int error = queue_io_lock(fd) != 0 ? -EBUSY : listing_read(dir, &listing);
	if (error != 0) {
		close(fd);
		return error;
	}
	if (listing.spare_count < spares || listing.highest == number)
		error = queue_io_rename_new(dir, name, spare);
	else
		error = -EEXIST;
	/* Also when two processes gave a segment and a spare the same number. */
	if (error == -EEXIST)
		error = unlinkat(dir, name, 0) < 0 ? -errno : 0;
	listing_done(&listing);
	close(fd);
	return error != 0 ? error : queue_io_fsync_directory(dir);
}

int segment_list(int dir, uint64_t **ret_numbers, size_t *ret_count)
{
	struct listing listing;
	int error = listing_read(dir, &listing);
	if (error != 0)
		return error;
	free(listing.spares);
	*ret_numbers = listing.segments;
	*ret_count = listing.segment_count;
	return 0;
}

bool segment_exists(int dir, uint64_t number)
{
	char name[NAME_MAX_LENGTH];
	make_name(name, number, segment_suffix);
	return faccessat(dir, name, F_OK, 0) == 0;
}

bool segment_is_written(int dir, uint64_t number)
{
	char name[NAME_MAX_LENGTH];
	make_name(name, number, segment_suffix);
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
	if (fd >= 0)
		close(fd);
	return locked;
}

int segment_sweep(int dir)
{
	DIR *stream = directory_open(dir, ".");
	if (stream == NULL)
		return -errno;
	struct dirent *entry;
	while ((entry = readdir(stream)) != NULL) {
		if (strncmp(entry->d_name, new_prefix, strlen(new_prefix)) != 0)
			continue;
		int file = openat(dir, entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (file < 0)
			continue;
		if (flock(file, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dir, entry->d_name, 0);
		close(file);
	}
	closedir(stream);
	return 0;
}
