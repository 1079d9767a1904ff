/* The writing end: see ledger.h. Entries wait encoded in memory; the task that finds no commit
 * under way frames and writes them all for everybody (as in writer.c).
 * SPDX-License-Identifier: ISC */
#include "queue/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "queue/io_private.h"
#include "queue/ledger_private.h"
#include "queue/record.h"
#include "sys/fd.h"
#include "task/task.h"

#define PENDING_MAX ((size_t)1024 * 1024 * 1024) /* a disk that refuses for hours: then give up */
#define SNAPSHOT_PIECE (256u * 1024)
#define ALLOCATE_STEP (1024u * 1024)
#define AHEAD_MAX (64u * 1024)
#define NAP_US 2000
#define CREATE_TRIES 1000

struct log_file {
	int fd; /* -1: none; the next commit makes one */
	uint64_t number, epoch;
	uint64_t offset;    /* committed so far */
	uint64_t allocated; /* zeroed so far */
};

struct ledger {
	int directory, lock;
	int spare; /* given up for a new log when there is no other descriptor */
	struct log_file log;
	uint64_t last_length;	      /* valid bytes of the log before the next one */
	uint64_t bytes;		      /* in logs since the last snapshot */
	struct buf pending;	      /* encoded entries, each behind a u32 length */
	size_t ahead, ahead_framed;   /* bytes of pending written already, and what they take there */
	uint64_t appended, committed; /* entries, counted from the opening */
	uint64_t failures;
	int last_error;
	bool committing;
	struct task_event changed;
	/* a snapshot being made */
	struct log_file snapshot; /* its number: of the last log that it replaces */
	struct buf snapshot_bytes;
	uint64_t bytes_at_snapshot;
};

static int write_header(struct log_file *file, int directory, const char *name, uint64_t previous)
{
	struct ledger_header header = {.number = file->number, .previous_length = previous};
	unsigned char bytes[LEDGER_HEADER_SIZE];
	file->fd = queue_io_open(directory, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (file->fd < 0)
		return file->fd;
	if (getrandom(&file->epoch, sizeof file->epoch, 0) != sizeof file->epoch)
		return -EIO;
	header.epoch = file->epoch;
	ledger_header_encode(&header, bytes);
	file->offset = file->allocated = LEDGER_HEADER_SIZE;
	return queue_io_write_at(file->fd, bytes, sizeof bytes, 0);
}

/* Gives the unused zeros back; when that fails, they stay. */
static void trim_log(const struct log_file *file)
{
	if (file->fd >= 0)
		queue_io_truncate(file->fd, file->offset);
}

static void close_log(struct log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

static int create_log_once(
	int directory, uint64_t number, uint64_t previous, struct log_file *ret_file)
{
	struct log_file file = {.fd = -1, .number = number};
	char name[LEDGER_NAME_LENGTH];
	ledger_make_name(name, number, LEDGER_LOG_SUFFIX);
	int error = write_header(&file, directory, LEDGER_NEW_LOG, previous);
	if (error == 0)
		error = queue_io_fsync(file.fd);
	if (error == 0)
		error = queue_io_rename_new(directory, LEDGER_NEW_LOG, name);
	/* DURABLE: the log can be found before an entry in it counts. */
	if (error == 0)
		error = queue_io_fsync_directory(directory);
	if (error != 0) {
		close_log(&file);
		return error;
	}
	*ret_file = file;
	return 0;
}

/* In the pool: makes the log with that number, durable with its name. A log of that number that got
 * its name but not its durability holds nothing; the next number follows it. */
static int create_log(int directory, uint64_t number, uint64_t previous, struct log_file *ret_file)
{
	int error = -EEXIST;
	for (int i = 0; i < CREATE_TRIES && error == -EEXIST; i++) {
		error = create_log_once(directory, number, previous, ret_file);
		number++;
		previous = LEDGER_HEADER_SIZE;
	}
	return error;
}

static int take_lock(int directory)
{
	int fd = queue_io_open(directory, "lock", O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int error = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return error;
}

int ledger_open(const char *queue_directory, struct ledger **ret_ledger)
{
	int directory = queue_io_open_directory(queue_directory, "ledger");
	if (directory < 0)
		return directory;
	int lock = take_lock(directory);
	if (lock < 0) {
		close(directory);
		return lock;
	}
	struct ledger *ledger = NEW(struct ledger);
	ledger->directory = directory;
	ledger->lock = lock;
	ledger->spare = fcntl(directory, F_DUPFD_CLOEXEC, 0);
	ledger->log.fd = -1;
	ledger->snapshot.fd = -1;
	buf_init(&ledger->pending, PENDING_MAX);
	task_event_init(&ledger->changed);
	*ret_ledger = ledger;
	return 0;
}

int ledger_load(struct ledger *ledger,
	void (*visit)(void *arg, const struct ledger_entry *entry), void *arg, uint64_t *ret_count)
{
	struct ledger_reading reading = {.visit = visit, .arg = arg};
	int error = ledger_read_directory(ledger->directory, &reading);
	if (error != 0)
		return error;
	ledger->log.number = reading.highest;
	ledger->last_length = reading.last_length;
	ledger->bytes = reading.bytes;
	*ret_count = reading.count;
	return 0;
}

void ledger_close(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	CHECK(!ledger->committing);
	ledger_snapshot_abort(ledger);
	trim_log(&ledger->log);
	close_log(&ledger->log);
	close(ledger->lock);
	if (ledger->spare >= 0)
		close(ledger->spare);
	close(ledger->directory);
	buf_done(&ledger->pending);
	free(ledger);
}

void ledger_append(struct ledger *ledger, const struct ledger_entry *entry)
{
	ledger_entry_encode(entry, &ledger->pending);
	CHECK(!ledger->pending.overflow);
	ledger->appended++;
}

void ledger_write_ahead(struct ledger *ledger)
{
	const struct log_file *log = &ledger->log;
	struct span rest = span_skip(buf_span(&ledger->pending), ledger->ahead);
	struct buf framed = BUF_INIT(AHEAD_MAX);
	if (ledger->committing || log->fd < 0 || rest.len == 0 || rest.len > AHEAD_MAX / 2)
		return;
	ledger_frame(rest, log->epoch, &framed);
	uint64_t at = log->offset + ledger->ahead_framed;
	if (!framed.overflow && at + framed.len <= log->allocated &&
		queue_io_write_at(log->fd, framed.ptr, framed.len, at) == 0) {
		ledger->ahead += rest.len;
		ledger->ahead_framed += framed.len;
	}
	buf_done(&framed);
}

uint64_t ledger_log_bytes(const struct ledger *ledger)
{
	return ledger->bytes;
}

size_t ledger_pending(const struct ledger *ledger)
{
	return ledger->pending.len;
}

struct commit_job {
	struct ledger *ledger;
	struct buf entries; /* taken from pending */
	uint64_t last;	    /* appended, when they were taken */
	struct log_file log;
	uint64_t previous;
	bool ended; /* the log is damaged: no more goes to it */
	int result;
};

/* Zeroes ahead, so that a flush need not write the file's metadata. A full disk shows here, before
 * anything is damaged. */
static int allocate(struct log_file *log, size_t more)
{
	if (log->offset + more <= log->allocated)
		return 0;
	uint64_t to = log->offset + more + ALLOCATE_STEP;
	int error = queue_io_zero(log->fd, log->allocated, to);
	if (error == 0)
		error = queue_io_fsync(log->fd);
	if (error == 0)
		log->allocated = to;
	return error;
}

static void commit_offloaded(void *arg)
{
	struct commit_job *job = arg;
	struct log_file *log = &job->log;
	struct buf framed = BUF_INIT(SIZE_MAX / 2);
	if (log->fd < 0)
		job->result =
			create_log(job->ledger->directory, log->number + 1, job->previous, log);
	if (job->result != 0)
		return;
	ledger_frame(buf_span(&job->entries), log->epoch, &framed);
	CHECK(!framed.overflow);
	job->result = allocate(log, framed.len);
	if (job->result == 0) {
		job->result = queue_io_write_at(log->fd, framed.ptr, framed.len, log->offset);
		/* DURABLE: outcomes are on disk before a record is declared dead. */
		if (job->result == 0)
			job->result = queue_io_fdatasync(log->fd);
		job->ended = job->result != 0;
	} else if (job->result != -ENOSPC && job->result != -EDQUOT) {
		job->ended = true;
	}
	if (job->result == 0)
		log->offset += framed.len;
	buf_done(&framed);
}

/* What could not be written stands before what came meanwhile. */
static void put_back(struct ledger *ledger, struct commit_job *job)
{
	buf_append(&job->entries, buf_span(&ledger->pending));
	CHECK(!job->entries.overflow);
	buf_done(&ledger->pending);
	ledger->pending = job->entries;
	ledger->last_error = job->result;
	ledger->failures++;
}

/* Deliveries keep their descriptors until the ledger is written, so it must not wait for theirs.
 * Not in the pool: until the log is made nobody may take the descriptor that is free now. */
static void create_with_spare(struct ledger *ledger, struct commit_job *job)
{
	if (ledger->spare >= 0)
		close(ledger->spare);
	job->result = create_log(
		ledger->directory, job->log.number + 1, job->previous, &job->log);
	ledger->spare = fcntl(ledger->directory, F_DUPFD_CLOEXEC, 0);
}

static void commit_once(struct ledger *ledger)
{
	struct commit_job job = {.ledger = ledger,
		.entries = ledger->pending,
		.last = ledger->appended,
		.log = ledger->log,
		.previous = ledger->last_length};
	buf_init(&ledger->pending, PENDING_MAX);
	ledger->ahead = ledger->ahead_framed = 0;
	uint64_t before = job.log.fd < 0 ? LEDGER_HEADER_SIZE : job.log.offset;
	task_offload(commit_offloaded, &job);
	if (job.log.fd < 0 && (job.result == -EMFILE || job.result == -ENFILE)) {
		create_with_spare(ledger, &job);
		if (job.result == 0)
			task_offload(commit_offloaded, &job);
	}
	if (job.log.fd >= 0) {
		ledger->log = job.log;
		ledger->last_length = job.log.offset;
	}
	if (job.ended)
		close_log(&ledger->log);
	if (job.result != 0) {
		put_back(ledger, &job);
		return;
	}
	ledger->bytes += job.log.offset - before;
	ledger->committed = job.last;
	if (ledger->pending.len == 0) {
		/* Its memory serves again. */
		buf_done(&ledger->pending);
		ledger->pending = job.entries;
		buf_shrink(&ledger->pending, ALLOCATE_STEP);
	} else {
		buf_done(&job.entries);
	}
}

static void nap_offloaded(void *arg)
{
	(void)arg;
	nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
}

static void wait_for_leader(struct ledger *ledger)
{
	CHECK(task_self() != NULL);
	if (task_event_wait(&ledger->changed, TASK_FOREVER) != 0)
		task_offload(nap_offloaded, NULL);
}

int ledger_commit(struct ledger *ledger)
{
	uint64_t target = ledger->appended, failures = ledger->failures;
	while (ledger->committed < target) {
		if (ledger->failures != failures)
			return ledger->last_error;
		if (ledger->committing) {
			wait_for_leader(ledger);
			continue;
		}
		ledger->committing = true;
		commit_once(ledger);
		ledger->committing = false;
		task_event_signal(&ledger->changed);
	}
	return 0;
}

/* Snapshots. */

static void begin_offloaded(void *arg)
{
	struct commit_job *job = arg;
	struct ledger *ledger = job->ledger;
	trim_log(&ledger->log);
	job->result = create_log(
		ledger->directory, ledger->log.number + 1, ledger->last_length, &job->log);
	if (job->result != 0)
		return;
	/* Not simply the present log: numbers between them may be taken by logs that hold nothing. */
	ledger->snapshot.number = job->log.number - 1;
	job->result = write_header(&ledger->snapshot, ledger->directory, LEDGER_NEW_SNAPSHOT, 0);
	if (job->result != 0)
		close_log(&ledger->snapshot);
}

int ledger_snapshot_begin(struct ledger *ledger)
{
	struct commit_job job = {.ledger = ledger, .log = {.fd = -1}};
	CHECK(ledger->snapshot.fd < 0);
	while (ledger->committing)
		wait_for_leader(ledger);
	ledger->committing = true;
	task_offload(begin_offloaded, &job);
	/* The present log ends in any case: its successor, which may be there, says so. */
	close_log(&ledger->log);
	ledger->ahead = ledger->ahead_framed = 0;
	if (job.log.fd >= 0) {
		ledger->log = job.log;
		ledger->last_length = LEDGER_HEADER_SIZE;
	}
	ledger->bytes_at_snapshot = ledger->bytes;
	ledger->committing = false;
	task_event_signal(&ledger->changed);
	if (job.result == 0)
		buf_init(&ledger->snapshot_bytes, SNAPSHOT_PIECE * 2);
	return job.result;
}

static void snapshot_offloaded(void *arg)
{
	struct commit_job *job = arg;
	struct log_file *file = &job->ledger->snapshot;
	struct buf framed = BUF_INIT(SIZE_MAX / 2);
	ledger_frame(buf_span(&job->entries), file->epoch, &framed);
	CHECK(!framed.overflow);
	job->result = framed.len == 0
			      ? 0
			      : queue_io_write_at(file->fd, framed.ptr, framed.len, file->offset);
	if (job->result == 0)
		file->offset += framed.len;
	buf_done(&framed);
}

static int flush_snapshot(struct ledger *ledger)
{
	struct commit_job job = {.ledger = ledger, .entries = ledger->snapshot_bytes};
	task_offload(snapshot_offloaded, &job);
	buf_reset(&ledger->snapshot_bytes);
	return job.result;
}

int ledger_snapshot_put(struct ledger *ledger, const struct ledger_entry *entry)
{
	CHECK(ledger->snapshot.fd >= 0);
	ledger_entry_encode(entry, &ledger->snapshot_bytes);
	CHECK(!ledger->snapshot_bytes.overflow);
	return ledger->snapshot_bytes.len < SNAPSHOT_PIECE ? 0 : flush_snapshot(ledger);
}

static void snapshot_commit_offloaded(void *arg)
{
	struct commit_job *job = arg;
	struct ledger *ledger = job->ledger;
	char name[LEDGER_NAME_LENGTH];
	ledger_make_name(name, ledger->snapshot.number, LEDGER_SNAPSHOT_SUFFIX);
	job->result = queue_io_fsync(ledger->snapshot.fd);
	if (job->result == 0)
		job->result = queue_io_rename(ledger->directory, LEDGER_NEW_SNAPSHOT, name);
	/* DURABLE: the name, before the logs that it replaces go. */
	if (job->result == 0)
		job->result = queue_io_fsync_directory(ledger->directory);
	if (job->result == 0)
		ledger_remove_older(ledger->directory, ledger->snapshot.number);
}

int ledger_snapshot_commit(struct ledger *ledger)
{
	struct commit_job job = {.ledger = ledger};
	CHECK(ledger->snapshot.fd >= 0);
	int error = flush_snapshot(ledger);
	if (error == 0) {
		task_offload(snapshot_commit_offloaded, &job);
		error = job.result;
	}
	if (error == 0)
		ledger->bytes -= ledger->bytes_at_snapshot;
	close_log(&ledger->snapshot);
	buf_done(&ledger->snapshot_bytes);
	return error;
}

void ledger_snapshot_abort(struct ledger *ledger)
{
	if (ledger->snapshot.fd < 0)
		return;
	unlinkat(ledger->directory, LEDGER_NEW_SNAPSHOT, 0);
	close_log(&ledger->snapshot);
	buf_done(&ledger->snapshot_bytes);
}

int ledger_boot_id(uint8_t ret_boot[16])
{
	char text[64];
	size_t digits = 0;
	uint8_t boot[16] = {0};
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = fd_read_at(fd, text, sizeof text, 0);
	close(fd);
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		int value = ascii_hex_value(text[i]);
		if (value >= 0) {
			boot[digits / 2] = (uint8_t)(boot[digits / 2] << 4 | value);
			digits++;
		}
	}
	if (digits < 32)
		return -EIO;
	memcpy(ret_boot, boot, sizeof boot);
	return 0;
}
