/* What one of our processes may hear from another: bytes on a channel, in pieces of any length. It
 * ends with a message of a type that was asked for, or with an error; descriptors do not stay
 * behind. The first byte chooses how the bytes are cut.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "ipc/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES_MAX 100

struct note {
	uint32_t number;
	struct span text;
};

struct parcel {
	bool flag;
	int64_t time;
	int fd;
	struct note *notes;
	size_t note_count;
};

static const struct field note_fields[] = {
	FIELD(FIELD_U32, note, number, 100),
	FIELD(FIELD_SPAN, note, text, 1000),
};
static MESSAGE_TYPE(note_type, 1, 1, note, note_fields);
static const struct field parcel_fields[] = {
	FIELD(FIELD_BOOL, parcel, flag, 0),
	FIELD(FIELD_I64, parcel, time, 0),
	FIELD(FIELD_FD, parcel, fd, 0),
	FIELD_LIST_OF(parcel, notes, note_count, note_type, 20),
};
static MESSAGE_TYPE(parcel_type, 2, 1, parcel, parcel_fields);

struct bulk {
	struct span bytes;
};

/* Received into a buffer of its own while that has room. */
static const struct field bulk_fields[] = {FIELD(FIELD_SPAN, bulk, bytes, 1000)};
static MESSAGE_TYPE(bulk_type, 3, 1, bulk, bulk_fields);

static struct {
	int ends[2];
	struct span input;
	size_t step;
} t;

static void speak(void *arg)
{
	(void)arg;
	while (t.input.len > 0) {
		struct span piece = span_head(t.input, t.step);
		ssize_t sent = send(t.ends[0], piece.ptr, piece.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent <= 0)
			break;
		t.input = span_skip(t.input, (size_t)sent);
		if (task_yield() != 0)
			break;
	}
	close(t.ends[0]);
}

static void hear(void *arg)
{
	static const struct message_type *const types[] = {&note_type, &parcel_type, &bulk_type};
	struct channel *channel = channel_new(t.ends[1]);
	struct buf sink = BUF_INIT(3000);
	int error = 0;
	(void)arg;
	for (unsigned i = 0; i < MESSAGES_MAX && error == 0; i++) {
		size_t which, before = sink.len;
		void *message;
		channel_receive_into(channel, &bulk_type, &sink);
		error = channel_receive(channel, types, ARRAY_LEN(types), TASK_FOREVER, &which, &message);
		if (error != 0)
			break;
		if (which == 0) {
			const struct note *note = message;
			CHECK(note->number <= 100 && note->text.len <= 1000);
		} else if (which == 2) {
			const struct bulk *bulk = message;
			CHECK(bulk->bytes.len <= 1000);
			CHECK(sink.len == before || (sink.len == before + bulk->bytes.len &&
				bulk->bytes.ptr == sink.ptr + before));
		} else {
			const struct parcel *parcel = message;
			CHECK(parcel->note_count <= 20 && parcel->fd < 0);
		}
	}
	CHECK(error == 0 || error == -EPIPE || error == -EBADMSG || error == -ECONNRESET);
	channel_free(channel);
	buf_done(&sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.ends) == 0);
	t.input = span_new(data + 1, size - 1);
	t.step = data[0] % 2 == 0 ? size : 1 + (size_t)data[0] / 2;
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("speak", speak, NULL, 0) != NULL);
	CHECK(task_spawn("hear", hear, NULL, 0) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	return 0;
}
