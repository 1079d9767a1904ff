/* Delivery into a Maildir by lib/store: the file under its final name, UID and index included.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "local/worker.h"
#include "store/append.h"

/* Stores stay open: the next message finds its index warm. */
static int get_store(const char *root, unsigned flags, struct store **ret_store)
{
	*ret_store = store_kept(root);
	if (*ret_store != NULL)
		return 0;
	int error = store_open(root, flags, ret_store);
	if (error == 0)
		store_keep(*ret_store);
	return error;
}

static int write_message(const struct local_work *work, struct append *append)
{
	int error = append_write(append, work->headers);
	if (error == 0 && work->content_fd >= 0)
		error = append_fill(append, work->content_fd, work->content_offset, work->size);
	else if (error == 0)
		error = append_write(append, work->content);
	return error;
}

/* An empty file that is nobody's, of the file system of the store. */
static int open_empty(const struct store *store)
{
	static unsigned serial;
	struct buf path = BUF_INIT(8192);
	buf_append_format(&path, "%s/tmp/flush.P%dQ%u", store_root(store), (int)getpid(), ++serial);
	int fd = path.overflow ? -1 : open(buf_cstr(&path),
		O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0)
		(void)unlink(buf_cstr(&path));
	buf_done(&path);
	return fd;
}

/* Opened before the message is written: whoever has it can flush, and read nothing. Sent once on a
 * connection: the front keeps it. False: a checkpoint cannot be had. */
static bool open_flush_fd(const struct store *store, struct answer *answer)
{
	struct stat st;
	struct flushable *known = answer->flushable;
	if (!known->is_known || known->store_device != store_device(store)) {
		if (known->is_full)
			return false;
		known->is_known = false;
		int fd = open_empty(store);
		if (fd < 0 || fstat(fd, &st) != 0) {
			if (fd >= 0)
				(void)close(fd);
			return false;
		}
		known->device = st.st_dev;
		known->store_device = store_device(store);
		answer->done.flush_fd = fd;
	}
	answer->done.device = known->device;
	answer->done.is_durable = false;
	return true;
}

static int deliver(const struct local_work *work, const char *root, struct answer *answer,
	struct append_result *result)
{
	struct append_options options = {.internaldate = INT64_MIN, .base = work->base,
		.is_delivery = true, .first_ms = work->first_ms,
		.durability = work->flush_file ? APPEND_DURABLE : APPEND_CHECKPOINT};
	struct store *store;
	struct append *append;
	int error = get_store(root, STORE_CREATE, &store);
	if (error != 0)
		return error;
	error = append_begin(store, SPAN("INBOX"), &options, &append);
	if (error == -ENOENT) {
		/* Someone took tmp/ away: made again. */
		store_forget(root);
		store_close(store);
		error = get_store(root, STORE_REPAIR, &store);
		if (error != 0)
			return error;
		error = append_begin(store, SPAN("INBOX"), &options, &append);
	}
	if (error == 0 && !work->flush_file && !open_flush_fd(store, answer))
		options.durability = APPEND_DURABLE;
	if (error == 0) {
		error = write_message(work, append);
		if (error == 0)
			error = append_commit(append, result);
		else
			append_abort(append);
	}
	if (error != 0)
		store_forget(root);
	store_close(store);
	return error;
}

void work_maildir(const struct local_work *work, struct answer *answer)
{
	struct append_result result;
	if (work->size_limit > 0 && work->size > work->size_limit) {
		answer_set(answer, LOCAL_BOUNCED, "5.2.2",
			"maildir delivery failed: message is larger than mailbox_size_limit");
		return;
	}
	char *root = span_dup_cstr(work->path);
	int error = deliver(work, root, answer, &result);
	free(root);
	/* What an earlier attempt wrote was flushed when it was recognised. */
	if (error != 0 || result.duplicate) {
		answer->done.is_durable = true;
		if (answer->done.flush_fd >= 0)
			(void)close(answer->done.flush_fd);
		answer->done.flush_fd = -1;
	}
	if (error != 0) {
		answer_error(answer, error, "maildir delivery failed", work->path);
		return;
	}
	answer_set(answer, LOCAL_DELIVERED, "2.0.0", "delivered to maildir");
}
