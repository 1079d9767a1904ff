/* Who reads and who writes the index. LMDB locks nothing here (MDB_NOLOCK): its lock file is
 * mapped, may be damaged like any other, and who waits in it waits for ever. These locks are the
 * kernel's (OFD) and end with their process. They are of the data file, on bytes that stand for
 * something: byte 0 for writing, byte READERS + n for reading what transaction n wrote.
 *
 * INVARIANT: a writer that begins on what transaction n wrote takes pages again that n has no use
 * for; so it first waits until nobody reads what is older than n. Readers wait for nobody.
 *
 * A process that reads holds its byte until the turn of the loop ends, or until it has to wait for
 * another one itself: the next transaction of the same turn costs no call.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "store/file_private.h"
#include "store/index_lmdb_private.h"
#include "task/task.h"

#define WRITER 0
#define READERS 1
#define NUMBER_MAX (UINT64_MAX >> 2)
#define WAIT_NS INT64_C(10000000000) /* others write without waiting for anything but the disk */
#define PAUSE_NS_MIN 20000L
#define PAUSE_NS_MAX 2000000L

/* Those whose byte is held. */
static struct list_node reading = LIST_INIT(reading);

/* 0, -EAGAIN: somebody else's; -errno */
static int set_lock(const struct index *index, short type, uint64_t at, uint64_t len)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at,
		.l_len = (off_t)len};
	if (fcntl(index->lock_fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES || errno == EINTR ? -EAGAIN : -errno;
}

static void stop_reading(struct index *index)
{
	if (!index->is_reading)
		return;
	(void)set_lock(index, F_UNLCK, READERS + index->read_low,
		index->read_high - index->read_low + 1);
	index->is_reading = false;
	list_remove(&index->reading);
}

/* At the end of a turn, and before waiting: no transaction outlasts a turn. */
static void stop_all_reading(void)
{
	LIST_FOREACH(node, &reading) {
		struct index *index = LIST_ENTRY(node, struct index, reading);
		if (index->open == 0)
			stop_reading(index);
	}
}

static int try_folder(const struct index *index, uint64_t fd)
{
	(void)index;
	return file_try_lock((int)fd);
}

static int try_writer(const struct index *index, uint64_t number)
{
	(void)number;
	return set_lock(index, F_WRLCK, WRITER, 1);
}

static int try_readers(const struct index *index, uint64_t number)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = READERS,
		.l_len = (off_t)number};
	if (fcntl(index->lock_fd, F_OFD_GETLK, &lock) != 0)
		return -errno;
	return lock.l_type == F_UNLCK ? 0 : -EAGAIN;
}

/* In place: a transaction that begins must not let other tasks run. Who has waited in vain does not
 * wait again before a transaction has begun. */
static int await(struct index *index, int (*try_it)(const struct index *index, uint64_t number),
	uint64_t number)
{
	int error = try_it(index, number);
	if (error == -EAGAIN)
		stop_all_reading();
	int64_t left = index->waited_in_vain ? 0 : WAIT_NS;
	struct timespec pause = {.tv_nsec = PAUSE_NS_MIN};
	while (error == -EAGAIN && left > 0) {
		(void)nanosleep(&pause, NULL);
		left -= pause.tv_nsec;
		if (pause.tv_nsec < PAUSE_NS_MAX)
			pause.tv_nsec *= 2;
		error = try_it(index, number);
	}
	if (error == -EAGAIN)
		index->waited_in_vain = true;
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

int index_lock_folder(struct index *index, int fd)
{
	return await(index, try_folder, (uint64_t)fd);
}

int index_lock_writer(struct index *index)
{
	return index->in_memory ? 0 : await(index, try_writer, 0);
}

int index_lock_await_readers(struct index *index, uint64_t number)
{
	int error = 0;
	if (number > NUMBER_MAX)
		error = MDB_CORRUPTED;
	else if (!index->in_memory && number > 0)
		error = await(index, try_readers, number);
	if (error == 0)
		index->waited_in_vain = false;
	return error;
}

bool index_lock_holds(const struct index *index, uint64_t number)
{
	return index->in_memory
		|| (index->is_reading && (index->read_low == number || index->read_high == number));
}

int index_lock_reader(struct index *index, uint64_t number)
{
	if (number > NUMBER_MAX)
		return MDB_CORRUPTED;
	if (index->open == 0)
		stop_reading(index);
	int error = set_lock(index, F_RDLCK, READERS + number, 1);
	if (error != 0)
		return error;
	if (!index->is_reading) {
		index->is_reading = true;
		index->read_low = index->read_high = number;
		list_append(&reading, &index->reading);
		if (task_turn() != 0)
			task_loop_on_turn(stop_all_reading);
	}
	index->read_low = number < index->read_low ? number : index->read_low;
	index->read_high = number > index->read_high ? number : index->read_high;
	return 0;
}

void index_lock_end(struct index *index, bool write)
{
	if (write && !index->in_memory)
		(void)set_lock(index, F_UNLCK, WRITER, 1);
	if (index->open == 0 && task_turn() == 0)
		stop_reading(index);
}

void index_lock_drop(struct index *index)
{
	stop_reading(index);
	index->lock_fd = -1;
}
