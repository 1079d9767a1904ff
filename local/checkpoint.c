/* Checkpoints: about once a second, while there is something to flush, syncfs on every file system
 * that was written to, then one serial tells qmgr what is durable. The descriptors are kept: the
 * kernel reports a lost write to each descriptor that was open at the time.
 *
 * DURABLE: an outcome gets the serial of the round that begins after its worker has answered, so
 * the syncfs that the serial stands for came behind the write. When one fails, the channel to qmgr
 * is closed, everything not yet covered is delivered again, and a new generation of serials begins:
 * no later round covers an outcome of before, whose reply may still be on its way.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "local/local.h"

#define DEVICES_MAX 256
#define LOOK_EVERY_MS 10000
#define AWAIT_MS 60000
#define REPEATS 3 /* rounds in which the last serial is said again: an outcome may be on its way */

struct device {
	uint64_t number;
	int fd;
	bool is_dirty;
	int error;
};

static struct {
	struct device devices[DEVICES_MAX];
	size_t count;
	uint64_t current;   /* serial that outcomes get now */
	uint64_t durable;   /* said to qmgr */
	unsigned failures;  /* rounds that failed: channels opened before end */
	unsigned repeats;
	bool has_dirty;
	struct task_event dirtied, advanced, stopping;
} state;

/* A worker's word alone would let it name another's file system, and give a descriptor that flushes
 * something else. The kernel knows the device itself: asking for more, as fstat() does, would wait
 * for the server of a person's own FUSE mount, and all other deliveries with it. */
static bool is_on(int fd, uint64_t number)
{
	struct statx st;
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) == 0 &&
		makedev(st.stx_dev_major, st.stx_dev_minor) == number;
}

uint64_t checkpoint_take(uint64_t number, int flush_fd)
{
	struct device *device = NULL;
	for (size_t i = 0; i < state.count; i++)
		if (state.devices[i].number == number)
			device = &state.devices[i];
	if (device != NULL) {
		/* Ours has been open for longer. */
		if (flush_fd >= 0)
			(void)close(flush_fd);
	} else if (flush_fd < 0 || state.count == DEVICES_MAX || !is_on(flush_fd, number)) {
		if (flush_fd >= 0)
			(void)close(flush_fd);
		return 0;
	} else {
		device = &state.devices[state.count++];
		*device = (struct device){.number = number, .fd = flush_fd};
	}
	device->is_dirty = true;
	state.has_dirty = true;
	task_event_signal(&state.dirtied);
	return state.current;
}

static void flush_in_pool(void *arg)
{
	struct device *device = arg;
	device->error = syncfs(device->fd) == 0 ? 0 : -errno;
}

static bool flush_all(void)
{
	bool good = true;
	for (size_t i = 0; i < state.count; i++) {
		if (!state.devices[i].is_dirty)
			continue;
		struct device flushed = state.devices[i];
		state.devices[i].is_dirty = false;
		task_offload(flush_in_pool, &flushed);
		if (flushed.error == 0)
			continue;
		good = false;
		log_error(NULL, "syncfs: %s: recent deliveries will be repeated", strerror(-flushed.error));
	}
	return good;
}

static uint64_t next_generation(uint64_t serial)
{
	uint64_t generation = ((serial >> 32) + 1) & UINT32_MAX;
	return (generation == 0 ? 1 : generation) << 32 | 1;
}

static void round_once(void)
{
	uint64_t covered = state.current++;
	state.has_dirty = false;
	if (flush_all()) {
		state.durable = covered;
		state.repeats = REPEATS;
	} else {
		state.failures++;
		state.current = next_generation(state.current);
		state.durable = 0;
		state.repeats = 0;
	}
	task_event_signal(&state.advanced);
}

static void run(void *arg)
{
	(void)arg;
	int64_t interval = local.settings.checkpoint_interval;
	if (interval < 10)
		interval = 10;
	while (!daemon_is_stopping()) {
		if (!state.has_dirty && state.repeats == 0)
			(void)task_event_wait(&state.dirtied, task_deadline(LOOK_EVERY_MS));
		if (!daemon_is_stopping()
			&& task_event_wait(&state.stopping, task_deadline(interval)) == -ECANCELED)
			break;
		workers_trim();
		if (state.has_dirty) {
			round_once();
		} else if (state.repeats > 0) {
			state.repeats--;
			task_event_signal(&state.advanced);
		}
	}
	if (state.has_dirty)
		round_once();
}

void checkpoint_start(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	/* The upper half names this process: a serial of its predecessor covers nothing. */
	uint64_t generation = ((uint64_t)now.tv_sec << 12 ^ (uint64_t)now.tv_nsec >> 8
		^ (uint64_t)getpid() << 4) & 0x7fffffff;
	state.current = (generation | 1) << 32 | 1;
	task_event_init(&state.dirtied);
	task_event_init(&state.advanced);
	task_event_init(&state.stopping);
	(void)task_spawn("checkpoint", run, NULL, 0);
}

void checkpoint_serve(struct channel *channel)
{
	unsigned failures = state.failures;
	while (!daemon_is_stopping() && failures == state.failures) {
		struct delivery_checkpoint message = {state.durable};
		if (state.durable != 0) {
			int error = channel_send(channel, &delivery_checkpoint_type, &message);
			if (error == 0)
				error = channel_flush(channel, task_deadline(LOOK_EVERY_MS));
			if (error != 0)
				return;
		}
		(void)task_event_wait(&state.advanced, task_deadline(LOOK_EVERY_MS));
		/* The peer says nothing more: readable means that it has gone. */
		if (channel_wait(channel, task_now()) == 0)
			return;
	}
}

bool checkpoint_await(uint64_t serial)
{
	while (serial >> 32 == state.current >> 32) {
		if (serial <= state.durable)
			return true;
		if (task_event_wait(&state.advanced, task_deadline(AWAIT_MS)) != 0)
			return false;
	}
	return false;
}

void checkpoint_stop(void)
{
	task_event_signal(&state.stopping);
	task_event_signal(&state.dirtied);
	task_event_signal(&state.advanced);
}
