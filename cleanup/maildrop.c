/* See maildrop.h.
 *
 * DURABLE: a file is unlinked only after its message is committed to the journal. A crash between
 * the two queues it twice; it is never lost. INVARIANT: a file that cannot be used is moved to
 * corrupt/, so that the same file is never tried for ever; one that cannot be queued now waits its
 * turn.
 * SPDX-License-Identifier: ISC */
#include "cleanup/maildrop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "cleanup/bounce.h"
#include "cleanup/settings.h"
#include "daemon/daemon.h"
#include "queue/maildrop.h"
#include "queue/queue_id.h"
#include "service/delivery.h"
#include "sys/directory.h"

#define SCAN_MS (60 * 1000)
#define REPORTED_MAX 100   /* recipients named in the report of a refusal */
#define POKE_MS (10 * 1000) /* that a client of public/pickup may stay */
#define FILES_AT_ONCE 1000 /* names held at a time */
#define TEMPORARY_AGE (7 * 24 * 3600) /* seconds; as Postfix */

static int directory = -1, corrupt = -1, watch = -1, poke = -1;
static struct task *pickup_task;

int maildrop_prepare(const char *queue_directory)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/maildrop", queue_directory);
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch >= 0 && inotify_add_watch(watch, path, IN_MOVED_TO) < 0) {
		close(watch);
		watch = -1; /* the periodic scan remains */
	}
	poke = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poke < 0)
		return -errno;
	snprintf(path, sizeof path, "%s/corrupt", queue_directory);
	corrupt = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return corrupt < 0 ? -errno : 0;
}

struct pickup {
	const char *name;
	int fd;
	struct stat status;
	struct buf input;
	struct maildrop_decoder decoder;
	struct intake *intake;
	struct arena arena;
	/* the envelope, until the first recipient */
	struct span sender, full_name, envid;
	uint8_t dsn_return, flags;
	bool opened;
};

static void open_message(struct pickup *pickup)
{
	struct cleanup_open open = cleanup_open_from(CLEANUP_FROM_MAILDROP);
	open.flags = CLEANUP_REWRITE_LOCAL |
		     (pickup->flags & MAILDROP_8BITMIME ? CLEANUP_8BITMIME : 0u) |
		     (pickup->flags & MAILDROP_SMTPUTF8 ? CLEANUP_SMTPUTF8 : 0u);
	open.sender = pickup->sender;
	open.envid = pickup->envid;
	open.dsn_return = pickup->dsn_return;
	intake_open(pickup->intake, &open, pickup->full_name, (int64_t)pickup->status.st_uid,
		NULL);
	pickup->opened = true;
	if (pickup->intake->queue_id[0] == '\0')
		return;
	log_set_program("pickup");
	log_info(pickup->intake->queue_id, "uid=%u from=<%.*s>", (unsigned)pickup->status.st_uid,
		SPAN_ARGS(pickup->intake->envelope.sender));
	log_set_program(NULL);
}

static void take_record(struct pickup *pickup, const struct maildrop_record *record)
{
	struct span copy = record->type == MAILDROP_CONTENT
				   ? SPAN_EMPTY
				   : arena_dup(&pickup->arena, record->bytes);
	switch ((enum maildrop_type)record->type) {
	case MAILDROP_SENDER:
		pickup->sender = copy;
		break;
	case MAILDROP_FULL_NAME:
		pickup->full_name = copy;
		break;
	case MAILDROP_ENVID:
		pickup->envid = copy;
		break;
	case MAILDROP_RETURN:
		pickup->dsn_return = (uint8_t)record->bytes.ptr[0];
		break;
	case MAILDROP_FLAGS:
		pickup->flags = (uint8_t)record->bytes.ptr[0];
		break;
	case MAILDROP_RECIPIENT:
		if (!pickup->opened)
			open_message(pickup);
		intake_recipients(pickup->intake,
			&(struct cleanup_recipient){.address = record->bytes,
				.orcpt = record->orcpt,
				.notify = record->notify},
			1);
		arena_reset(&pickup->arena);
		break;
	case MAILDROP_CONTENT:
		intake_write(pickup->intake, record->bytes);
		break;
	case MAILDROP_END:
		break;
	}
}

/* Reads on. 0; -EBADMSG: not our records, or they end too early; or -errno of the file. */
static int read_records(struct pickup *pickup)
{
	for (;;) {
		struct maildrop_record record;
		struct span input = buf_span(&pickup->input);
		enum maildrop_result result;
		while ((result = maildrop_next(&pickup->decoder, &input, &record)) ==
			MAILDROP_RECORD)
			take_record(pickup, &record);
		if (result == MAILDROP_BAD)
			return -EBADMSG;
		buf_consume(&pickup->input, pickup->input.len - input.len);
		char *to = buf_reserve(&pickup->input, MAILDROP_RECORD_MAX);
		if (to == NULL)
			return -EBADMSG;
		ssize_t n = read(pickup->fd, to, MAILDROP_RECORD_MAX);
		if (n < 0)
			return -errno;
		if (n == 0)
			return maildrop_is_complete(&pickup->decoder) && pickup->input.len == 0
				       ? 0
				       : -EBADMSG;
		pickup->input.len += (size_t)n;
		(void)task_yield();
	}
}

static void move_to_corrupt(const char *name, const char *why)
{
	log_warning(NULL, "%s: %s: moved to corrupt/", name, why);
	if (renameat(directory, name, corrupt, name) < 0)
		log_warning(NULL, "%s: cannot move to corrupt/: %s", name, strerror(errno));
}

/* Reads the file once more, for its recipients: as many as a report may have. */
static size_t read_recipients(struct pickup *pickup, struct bounce_recipient *recipients)
{
	struct maildrop_decoder decoder = {0};
	struct buf input = BUF_INIT(2 * MAILDROP_RECORD_MAX);
	off_t offset = 0;
	size_t count = 0;
	arena_reset(&pickup->arena);
	while (count < REPORTED_MAX) {
		struct maildrop_record record;
		struct span rest = buf_span(&input);
		while (count < REPORTED_MAX &&
			maildrop_next(&decoder, &rest, &record) == MAILDROP_RECORD) {
			if (record.type != MAILDROP_RECIPIENT)
				continue;
			struct span address = arena_dup(&pickup->arena, record.bytes);
			recipients[count++] = (struct bounce_recipient){.address = address,
				.original = address,
				.orcpt = arena_dup(&pickup->arena, record.orcpt),
				.dsn = span_from_cstr(pickup->intake->code),
				.text = span_from_cstr(pickup->intake->text),
				.remote_mta = SPAN_EMPTY,
				.diagnostic = SPAN_EMPTY,
				.status = DELIVERY_BOUNCED};
		}
		buf_consume(&input, input.len - rest.len);
		char *to = buf_reserve(&input, MAILDROP_RECORD_MAX);
		ssize_t n = to == NULL ? 0 : pread(pickup->fd, to, MAILDROP_RECORD_MAX, offset);
		if (n <= 0)
			break;
		offset += n;
		input.len += (size_t)n;
	}
	buf_done(&input);
	return count;
}

/* Tells the sender that the message is refused for good. False: the report is not queued. */
static bool report_refusal(struct pickup *pickup)
{
	struct intake *report = NEW(struct intake);
	struct bounce_recipient *recipients = memory_zalloc(REPORTED_MAX, sizeof *recipients);
	struct bounce_request request = {.kind = BOUNCE_FAILURE,
		.queue_id = span_from_cstr(pickup->intake->queue_id),
		.sender = pickup->intake->envelope.sender,
		.envid = pickup->intake->envelope.envid,
		.arrival_ms = pickup->intake->envelope.arrival_ms,
		.recipients = recipients};
	request.recipient_count = read_recipients(pickup, recipients);
	bounce_compose(&request, report);
	bool queued = report->status == CLEANUP_OK;
	intake_done(report);
	free(recipients);
	free(report);
	return queued;
}

static void remove_file(const struct pickup *pickup)
{
	if (unlinkat(directory, pickup->name, 0) < 0)
		log_warning(NULL, "cannot remove maildrop/%s: %s", pickup->name, strerror(errno));
}

/* What became of the message decides what becomes of the file. False: the queue takes nothing now;
 * a message whose own recipients cannot be looked up does not keep the others waiting. */
static bool settle(struct pickup *pickup)
{
	const struct intake *intake = pickup->intake;
	switch (intake->status) {
	case CLEANUP_OK:
		remove_file(pickup);
		return true;
	case CLEANUP_NO_SPACE:
	case CLEANUP_QUEUE_ERROR:
		log_warning(NULL, "maildrop/%s: %s: it stays there and is tried again",
			pickup->name, intake->text);
		return !intake->queue_failed;
	case CLEANUP_TOO_BIG:
	case CLEANUP_TOO_MANY_HOPS:
	case CLEANUP_REJECTED:
	case CLEANUP_NO_RECIPIENT:
		break;
	}
	if (intake->envelope.sender.len > 0 && report_refusal(pickup))
		remove_file(pickup);
	else
		move_to_corrupt(pickup->name, intake->text);
	return true;
}

static bool pick_up_open(struct pickup *pickup)
{
	int error = read_records(pickup);
	bool go_on = true;
	if (error == 0 && pickup->opened) {
		intake_finish(pickup->intake);
		go_on = settle(pickup);
	} else if (error == -EBADMSG || error == 0) {
		move_to_corrupt(pickup->name, "broken file");
	} else {
		log_warning(NULL, "maildrop/%s: %s", pickup->name, strerror(-error));
	}
	if (pickup->opened)
		intake_done(pickup->intake);
	return go_on;
}

/* False: stop the scan, the queue is in trouble. */
static bool pick_up(const char *name)
{
	struct pickup pickup = {.name = name, .input = BUF_INIT(2 * MAILDROP_RECORD_MAX)};
	pickup.sender = pickup.full_name = pickup.envid = SPAN_EMPTY;
	pickup.fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (pickup.fd < 0) {
		if (errno == ELOOP)
			move_to_corrupt(name, "not a regular file");
		else if (errno != ENOENT)
			log_warning(NULL, "cannot open maildrop/%s: %s", name, strerror(errno));
		return true;
	}
	bool go_on = true;
	/* Another cleanup, which is about to end, may have it: then it is gone, or soon will be. */
	bool ours = flock(pickup.fd, LOCK_EX | LOCK_NB) == 0;
	if (!ours || (fstat(pickup.fd, &pickup.status) == 0 && pickup.status.st_nlink == 0)) {
		close(pickup.fd);
		return true;
	}
	if (fstat(pickup.fd, &pickup.status) < 0 || !S_ISREG(pickup.status.st_mode) ||
		pickup.status.st_nlink != 1) {
		move_to_corrupt(name, "not a regular file of one name");
	} else {
		pickup.intake = NEW(struct intake);
		arena_init(&pickup.arena, 1024 * 1024);
		go_on = pick_up_open(&pickup);
		arena_done(&pickup.arena);
		free(pickup.intake);
	}
	buf_done(&pickup.input);
	close(pickup.fd);
	return go_on;
}

/* What a postdrop was writing that has ended long ago. */
static void sweep(const char *name)
{
	struct stat st;
	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		time(NULL) - st.st_mtime > TEMPORARY_AGE)
		(void)unlinkat(directory, name, 0);
}

/* The next names of the folder. */
static size_t list_names(DIR *stream, char ***ret_names)
{
	char **names = NULL;
	size_t count = 0;
	struct dirent *entry;
	while (count < FILES_AT_ONCE && (entry = readdir(stream)) != NULL) {
		struct span name = span_from_cstr(entry->d_name);
		if (span_starts_with(name, SPAN("new.")))
			sweep(entry->d_name);
		if (!queue_id_is_valid(name))
			continue;
		names = memory_resize(names, count + 1, sizeof *names);
		names[count++] = memory_dup_cstr(entry->d_name);
	}
	*ret_names = names;
	return count;
}

/* False: at the end of the folder, or the queue is in trouble. */
static bool scan_some(DIR *stream)
{
	char **names = NULL;
	size_t count = list_names(stream, &names);
	bool go_on = true;
	for (size_t i = 0; i < count; i++) {
		if (go_on && !task_is_canceled()) {
			daemon_work_begin();
			go_on = pick_up(names[i]);
			daemon_work_end();
		}
		free(names[i]);
	}
	free(names);
	return go_on && count == FILES_AT_ONCE && !task_is_canceled();
}

/* All that was there when it began: a file that stays is not tried twice in one scan. */
static void scan(void)
{
	DIR *stream = directory_open(directory, ".");
	if (stream == NULL)
		return;
	while (scan_some(stream))
		;
	closedir(stream);
}

static void drain_watch(void)
{
	char events[4096];
	uint64_t pokes;
	while (watch >= 0 && read(watch, events, sizeof events) > 0)
		;
	while (read(poke, &pokes, sizeof pokes) > 0)
		;
}

static void wake(void)
{
	uint64_t one = 1;
	/* A full counter has been read by nobody: the scan is still to come. */
	if (write(poke, &one, sizeof one) < 0 && errno != EAGAIN)
		log_warning(NULL, "cannot wake the scan of maildrop: %s", strerror(errno));
}

void maildrop_poked(int fd_take, const struct address *peer)
{
	task_time deadline = task_deadline(POKE_MS);
	char bytes[64];
	(void)peer;
	for (;;) {
		ssize_t n = read(fd_take, bytes, sizeof bytes);
		if (n > 0) {
			wake();
			break; /* one look is enough, whatever else it says */
		}
		if (n == 0 || errno != EAGAIN || task_wait_fd(fd_take, TASK_READ, deadline) != 0)
			break;
	}
	task_forget_fd(fd_take);
	close(fd_take);
}

static void run_pickup(void *arg)
{
	(void)arg;
	while (!task_is_canceled()) {
		drain_watch(); /* before the scan: what comes during it is seen afterwards */
		scan();
		int which;
		(void)task_wait_two(poke, TASK_READ, watch, TASK_READ, task_deadline(SCAN_MS), &which);
	}
	pickup_task = NULL;
}

void maildrop_start(void)
{
	pickup_task = task_spawn("pickup", run_pickup, NULL, 256 * 1024);
}

void maildrop_stop(void)
{
	if (pickup_task != NULL)
		task_cancel(pickup_task);
}
