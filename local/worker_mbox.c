/* Appending to an mbox file: fcntl lock, then dotlock; From_ line, quoting, flush; what could not
 * be written whole is cut off again.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "local/worker.h"
#include "store/content.h"
#include "sys/fd.h"
#include "task/task.h"

struct mbox {
	const struct local_work *work;
	char *path, *lock_path;
	bool has_dotlock;
	bool foreign;    /* the file has another owner */
	int fd;
	int error;       /* -EAGAIN: locked by somebody else */
	const char *problem;
	off_t start;     /* size before */
	bool at_line_start, after_newline;
};

/* --- locks; in the pool --- */

static void remove_stale_lock(const struct mbox *mbox)
{
	struct stat st;
	if (stat(mbox->lock_path, &st) == 0
		&& (int64_t)(time(NULL) - st.st_mtime) * 1000 > mbox->work->stale_lock_ms)
		(void)unlink(mbox->lock_path);
}

static int take_dotlock(struct mbox *mbox)
{
	int fd = open(mbox->lock_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		remove_stale_lock(mbox);
		return -EAGAIN;
	}
	if (fd < 0) {
		/* A spool in which the user may not create files: fcntl has to do. */
		return errno == EACCES || errno == EPERM || errno == EROFS ? 0 : -errno;
	}
	mbox->has_dotlock = true;
	(void)close(fd);
	return 0;
}

static int take_locks(struct mbox *mbox)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if ((mbox->work->locks & LOCAL_LOCK_FCNTL) != 0 && fcntl(mbox->fd, F_OFD_SETLK, &lock) != 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if ((mbox->work->locks & LOCAL_LOCK_FLOCK) != 0 && flock(mbox->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if ((mbox->work->locks & LOCAL_LOCK_DOTLOCK) != 0)
		return take_dotlock(mbox);
	return 0;
}

static void release(struct mbox *mbox)
{
	if (mbox->has_dotlock)
		(void)unlink(mbox->lock_path);
	mbox->has_dotlock = false;
	if (mbox->fd >= 0)
		(void)close(mbox->fd);
	mbox->fd = -1;
}

/* --- writing --- */

/* Lines that begin with "From " get a '>': another mailbox would begin there. */
static void quote(struct mbox *mbox, struct span text, struct buf *out, struct buf *held)
{
	static const char from[] = "From ";
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (mbox->at_line_start && held->len < 5 && c == from[held->len]) {
			buf_append_char(held, c);
			mbox->after_newline = false;
			if (held->len < 5)
				continue;
			buf_append_char(out, '>');
			buf_append(out, buf_span(held));
			buf_reset(held);
			mbox->at_line_start = false;
			continue;
		}
		buf_append(out, buf_span(held));
		buf_reset(held);
		buf_append_char(out, c);
		mbox->at_line_start = c == '\n';
		mbox->after_newline = c == '\n';
	}
}

static void write_from_line(const struct local_work *work, struct buf *out)
{
	char when[64];
	struct tm tm;
	time_t now = time(NULL);
	(void)strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", localtime_r(&now, &tm));
	buf_append_cstr(out, "From ");
	struct span sender = work->sender.len > 0 ? work->sender : SPAN("MAILER-DAEMON");
	for (size_t i = 0; i < sender.len; i++) {
		char c = sender.ptr[i];
		buf_append_char(out, (unsigned char)c <= ' ' || c == 0x7f ? '_' : c);
	}
	buf_append_format(out, "  %s\n", when);
}

/* A message that was cut short by a crash, or was written by another program, may lack the end of
 * its last line or the blank line behind it. */
static int end_what_is_there(const struct mbox *mbox, struct buf *out)
{
	char last[2] = {'\n', '\n'};
	if (mbox->start == 0)
		return 0;
	size_t len = mbox->start == 1 ? 1 : 2;
	ssize_t n = pread(mbox->fd, last + 2 - len, len, mbox->start - (off_t)len);
	if (n != (ssize_t)len)
		return n < 0 ? -errno : -EIO;
	if (last[1] != '\n')
		buf_append_cstr(out, "\n\n");
	else if (last[0] != '\n')
		buf_append_char(out, '\n');
	return 0;
}

static int write_body(struct mbox *mbox)
{
	struct work_reader reader;
	struct content_state state = {0};
	struct buf lines = BUF_INIT(1UL << 20), out = BUF_INIT(2UL << 20), held = BUF_INIT(8);
	struct span piece;
	int error = end_what_is_there(mbox, &out);
	write_from_line(mbox->work, &out);
	if (error == 0)
		error = fd_write_all(mbox->fd, buf_span(&out));
	mbox->at_line_start = true;
	work_reader_init(&reader, mbox->work);
	while (error == 0) {
		error = work_read(&reader, &piece);
		bool last = error == 0 && piece.len == 0;
		buf_reset(&lines);
		buf_reset(&out);
		content_to_lf(&state, piece, &lines);
		if (last)
			content_to_lf_end(&state, &lines);
		quote(mbox, buf_span(&lines), &out, &held);
		if (last)
			buf_append(&out, buf_span(&held));
		if (error == 0)
			error = fd_write_all(mbox->fd, buf_span(&out));
		if (last)
			break;
	}
	if (error == 0)
		error = fd_write_all(mbox->fd, mbox->after_newline ? SPAN("\n") : SPAN("\n\n"));
	work_reader_done(&reader);
	buf_done(&lines);
	buf_done(&out);
	buf_done(&held);
	return error;
}

static int check_file(struct mbox *mbox)
{
	struct stat st, named;
	if (fstat(mbox->fd, &st) != 0)
		return -errno;
	/* Who held the lock may have removed the file, or put another one in its place. */
	if (lstat(mbox->path, &named) != 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (named.st_dev != st.st_dev || named.st_ino != st.st_ino)
		return -EAGAIN;
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1) {
		mbox->problem = S_ISREG(st.st_mode) ? "file has more than one link" : "not a regular file";
		return -EPERM;
	}
	/* In a spool where all may make files, somebody else may have made this one, to read it. */
	if (mbox->work->must_own && st.st_uid != geteuid()) {
		mbox->foreign = true;
		return -EPERM;
	}
	mbox->start = st.st_size;
	uint64_t limit = mbox->work->size_limit;
	if (limit > 0 && (uint64_t)st.st_size + mbox->work->size > limit)
		return -EFBIG;
	return 0;
}

/* A new file's name, too, has to outlive a crash. A spool that the user may not read cannot be
 * flushed by him: there the file system's word on the file has to do. */
static int flush_name(const struct mbox *mbox)
{
	char *folder = memory_dup_cstr(mbox->path), *slash = strrchr(folder, '/');
	if (slash != NULL)
		slash[slash == folder ? 1 : 0] = '\0';
	int fd = open(slash != NULL ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd < 0 || fsync(fd) != 0 ? -errno : 0;
	if (fd >= 0)
		(void)close(fd);
	free(folder);
	return fd < 0 && error == -EACCES ? 0 : error;
}

static int flush(const struct mbox *mbox)
{
	/* DURABLE: an mbox has no checkpoint, each message is flushed. */
	if (fsync(mbox->fd) != 0)
		return -errno;
	return mbox->start == 0 ? flush_name(mbox) : 0;
}

static void run_in_pool(void *arg)
{
	struct mbox *mbox = arg;
	mbox->fd = open(mbox->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
		| O_NOCTTY, 0600);
	mbox->error = mbox->fd < 0 ? -errno : take_locks(mbox);
	if (mbox->error == 0)
		mbox->error = check_file(mbox);
	if (mbox->error == 0) {
		mbox->error = write_body(mbox);
		if (mbox->error == 0)
			mbox->error = flush(mbox);
		if (mbox->error != 0 && ftruncate(mbox->fd, mbox->start) != 0)
			log_warning(NULL, "%s: cannot cut off a message written in part: %s", mbox->path,
				strerror(errno));
	}
	release(mbox);
}

static void explain(const struct mbox *mbox, struct answer *answer)
{
	const struct local_work *work = mbox->work;
	if (mbox->error == -EFBIG)
		answer_set(answer, LOCAL_BOUNCED, "5.2.2",
			"mailbox %.*s is full: mailbox_size_limit would be exceeded", SPAN_ARGS(work->path));
	else if (mbox->error == -EAGAIN)
		answer_set(answer, LOCAL_DEFERRED, "4.2.0", "unable to lock %.*s for exclusive access",
			SPAN_ARGS(work->path));
	else if (mbox->foreign)
		answer_set(answer, LOCAL_DEFERRED, "4.2.0", "destination %.*s is not owned by recipient",
			SPAN_ARGS(work->path));
	else if (mbox->problem != NULL)
		answer_set(answer, LOCAL_BOUNCED, "5.2.0", "destination %.*s: %s", SPAN_ARGS(work->path),
			mbox->problem);
	else
		answer_error(answer, mbox->error, "cannot update mailbox", work->path);
}

void work_mbox(const struct local_work *work, const char *delivered, struct answer *answer)
{
	struct mbox mbox = {.work = work, .fd = -1, .path = span_dup_cstr(work->path)};
	size_t size = work->path.len + sizeof(".lock");
	mbox.lock_path = malloc(size);
	if (mbox.lock_path != NULL)
		(void)snprintf(mbox.lock_path, size, "%s.lock", mbox.path);
	mbox.error = mbox.lock_path == NULL ? -ENOMEM : -EAGAIN;
	uint32_t attempts = work->lock_attempts > 0 ? work->lock_attempts : 1;
	for (uint32_t i = 0; mbox.error == -EAGAIN && i < attempts; i++) {
		if (i > 0 && task_sleep(work->lock_delay_ms) != 0)
			break;
		task_offload(run_in_pool, &mbox);
	}
	if (mbox.error == 0)
		answer_set(answer, LOCAL_DELIVERED, "2.0.0", "%s", delivered);
	else
		explain(&mbox, answer);
	free(mbox.path);
	free(mbox.lock_path);
}
