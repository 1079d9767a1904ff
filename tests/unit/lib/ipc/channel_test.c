/* Messages: encoding, limits, broken input at every byte; channels with descriptors.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"

struct item {
	uint32_t number;
	struct span name;
};

struct sample {
	bool flag;
	uint32_t small;
	int64_t time;
	struct span bytes;
	int fd;
	struct item *items;
	size_t item_count;
};

static const struct field item_fields[] = {
	FIELD(FIELD_U32, item, number, 100),
	FIELD(FIELD_SPAN, item, name, 10),
};
static MESSAGE_TYPE(item_type, 0, 1, item, item_fields);
static const struct field sample_fields[] = {
	FIELD(FIELD_BOOL, sample, flag, 0),
	FIELD(FIELD_U32, sample, small, 1000),
	FIELD(FIELD_I64, sample, time, 0),
	FIELD(FIELD_SPAN, sample, bytes, 300000),
	FIELD(FIELD_FD, sample, fd, 0),
	FIELD_LIST_OF(sample, items, item_count, item_type, 3),
};
static MESSAGE_TYPE(sample_type, 7, 2, sample, sample_fields);

static struct item some_items[] = {{1, SPAN("one")}, {2, SPAN("")}, {3, SPAN("three")},
	{4, SPAN("four")}};

static struct sample make_sample(void)
{
	return (struct sample){.flag = true, .small = 1000, .time = -5, .bytes = SPAN("hello"),
		.fd = -1, .items = some_items, .item_count = 3};
}

static void test_round_trip(void **state)
{
	(void)state;
	struct sample in = make_sample(), out;
	struct buf wire = BUF_INIT(10000);
	struct arena arena;
	size_t fds;
	arena_init(&arena, 10000);
	assert_int_equal(message_encode(&sample_type, &in, &wire, NULL, &fds), 0);
	struct span payload = span_skip(buf_span(&wire), 8);
	assert_int_equal(message_decode(&sample_type, payload, NULL, 0, &arena, &out), 0);
	assert_true(out.flag && out.small == 1000 && out.time == -5 && out.fd == -1);
	assert_true(span_equal(out.bytes, SPAN("hello")) && out.item_count == 3);
	assert_true(span_equal(out.items[2].name, SPAN("three")) && out.items[2].number == 3);
	/* Cut short anywhere, or with a byte too many, it is refused. */
	for (size_t len = 0; len < payload.len; len++)
		assert_int_equal(message_decode(&sample_type, span_head(payload, len), NULL, 0, &arena,
					 &out), -EBADMSG);
	buf_append_char(&wire, 'x');
	assert_int_equal(message_decode(&sample_type, span_skip(buf_span(&wire), 8), NULL, 0, &arena,
				 &out), -EBADMSG);
	arena_done(&arena);
	buf_done(&wire);
}

static void test_limits_are_kept(void **state)
{
	(void)state;
	struct buf wire = BUF_INIT(10000);
	size_t fds;
	struct sample sample = make_sample();
	sample.small = 1001;
	assert_int_equal(message_encode(&sample_type, &sample, &wire, NULL, &fds), -EMSGSIZE);
	sample = make_sample();
	sample.item_count = 4;
	assert_int_equal(message_encode(&sample_type, &sample, &wire, NULL, &fds), -EMSGSIZE);
	assert_true(wire.len == 0);
	buf_done(&wire);
}

struct talk {
	struct channel *left, *right;
	char *big;
};

static void speak(void *arg)
{
	struct talk *talk = arg;
	struct sample sample = make_sample();
	for (int i = 0; i < 100; i++) {
		sample.small = (uint32_t)i;
		assert_int_equal(channel_send(talk->left, &sample_type, &sample), 0);
	}
	sample.fd = open("/dev/null", O_RDONLY);
	assert_int_equal(channel_send(talk->left, &sample_type, &sample), 0);
	close(sample.fd);
	sample.fd = -1;
	sample.bytes = span_new(talk->big, 300000);
	assert_int_equal(channel_send(talk->left, &sample_type, &sample), 0);
	void *reply;
	assert_int_equal(channel_expect(talk->left, &sample_type, TASK_FOREVER, &reply), 0);
	channel_free(talk->left);
}

static void listen_all(void *arg)
{
	struct talk *talk = arg;
	void *message;
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(channel_expect(talk->right, &sample_type, TASK_FOREVER, &message), 0);
		assert_true(((struct sample *)message)->small == i);
	}
	assert_int_equal(channel_expect(talk->right, &sample_type, TASK_FOREVER, &message), 0);
	int fd = ((struct sample *)message)->fd;
	assert_true(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	assert_int_equal(channel_expect(talk->right, &sample_type, TASK_FOREVER, &message), 0);
	assert_true(((struct sample *)message)->bytes.len == 300000);
	struct sample sample = make_sample();
	assert_int_equal(channel_send(talk->right, &sample_type, &sample), 0);
	assert_int_equal(channel_expect(talk->right, &sample_type, TASK_FOREVER, &message), -EPIPE);
	channel_free(talk->right);
}

static void test_channel(void **state)
{
	(void)state;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd);
	struct talk talk = {channel_new(fd[0]), channel_new(fd[1]), calloc(1, 300000)};
	task_loop_open();
	task_spawn("speak", speak, &talk, 0);
	task_spawn("listen", listen_all, &talk, 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
	free(talk.big);
}

static void receive_without_room(void *arg)
{
	struct talk *talk = arg;
	struct sample sample = make_sample();
	struct rlimit before;
	void *message;
	sample.fd = channel_fd(talk->left);
	assert_int_equal(channel_send(talk->left, &sample_type, &sample), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int status = channel_expect(talk->right, &sample_type, TASK_FOREVER, &message);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(status, -EBADMSG);
	/* What came is incomplete: nothing behind it is believed. */
	assert_int_equal(channel_expect(talk->right, &sample_type, TASK_FOREVER, &message), -EPIPE);
	channel_free(talk->left);
	channel_free(talk->right);
}

static void test_a_descriptor_without_room_closes_the_channel(void **state)
{
	(void)state;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd);
	struct talk talk = {channel_new(fd[0]), channel_new(fd[1]), NULL};
	task_loop_open();
	task_spawn("both", receive_without_room, &talk, 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

struct bulk {
	struct span bytes;
};

static const struct field bulk_fields[] = {FIELD(FIELD_SPAN, bulk, bytes, 260000)};
static MESSAGE_TYPE(bulk_type, 8, 1, bulk, bulk_fields);

static const size_t bulk_sizes[] = {0, 1, 5000, 16384, 100000, 3, 250000, 30000, 7};

static char bulk_byte(size_t message, size_t at)
{
	return (char)(message * 31 + at * 7 + at / 251);
}

static void speak_bulk(void *arg)
{
	struct talk *talk = arg;
	struct sample sample = make_sample();
	for (size_t i = 0; i < sizeof bulk_sizes / sizeof bulk_sizes[0]; i++) {
		for (size_t at = 0; at < bulk_sizes[i]; at++)
			talk->big[at] = bulk_byte(i, at);
		struct bulk bulk = {span_new(talk->big, bulk_sizes[i])};
		assert_int_equal(channel_send(talk->left, &bulk_type, &bulk), 0);
		/* The bytes have gone, or have been kept: they may change now. */
		memset(talk->big, 'x', bulk_sizes[i]);
		assert_int_equal(channel_send(talk->left, &sample_type, &sample), 0);
	}
	struct bulk bulk = {span_new(talk->big, 260001)};
	assert_int_equal(channel_send(talk->left, &bulk_type, &bulk), -EMSGSIZE);
	assert_int_equal(channel_flush(talk->left, TASK_FOREVER), 0);
	channel_free(talk->left);
}

static void listen_bulk(void *arg)
{
	static const struct message_type *const types[] = {&sample_type, &bulk_type};
	struct talk *talk = arg;
	struct buf sink = BUF_INIT(300000);
	size_t which, in_sink = 0;
	void *message;
	for (size_t i = 0; i < sizeof bulk_sizes / sizeof bulk_sizes[0]; i++) {
		size_t before = sink.len;
		channel_receive_into(talk->right, i == 5 ? NULL : &bulk_type, &sink);
		assert_int_equal(channel_receive(talk->right, types, 2, TASK_FOREVER, &which, &message),
			0);
		assert_int_equal(which, 1);
		struct span bytes = ((struct bulk *)message)->bytes;
		assert_int_equal(bytes.len, bulk_sizes[i]);
		for (size_t at = 0; at < bytes.len; at++)
			if (bytes.ptr[at] != bulk_byte(i, at))
				fail_msg("message %zu differs at %zu", i, at);
		if (sink.len > before) {
			in_sink++;
			assert_int_equal(sink.len, before + bytes.len);
			assert_true(bytes.ptr == sink.ptr + before);
		}
		assert_int_equal(channel_receive(talk->right, types, 2, TASK_FOREVER, &which, &message),
			0);
		assert_int_equal(which, 0);
		assert_true(span_equal(((struct sample *)message)->bytes, SPAN("hello")));
	}
	/* Not the empty one, the one without a sink, and the one that was too large. */
	assert_int_equal(in_sink, 6);
	assert_int_equal(
		channel_receive(talk->right, types, 2, TASK_FOREVER, &which, &message), -EPIPE);
	channel_free(talk->right);
	buf_done(&sink);
}

static void test_long_bytes_are_sent_and_received_in_place(void **state)
{
	(void)state;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd);
	struct talk talk = {channel_new(fd[0]), channel_new(fd[1]), calloc(1, 300000)};
	task_loop_open();
	task_spawn("speak", speak_bulk, &talk, 0);
	task_spawn("listen", listen_bulk, &talk, 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
	free(talk.big);
}

static void expect_bad_bulk(void *arg)
{
	void *message;
	struct buf sink = BUF_INIT(300000);
	channel_receive_into(arg, &bulk_type, &sink);
	assert_int_equal(channel_expect(arg, &bulk_type, TASK_FOREVER, &message), -EBADMSG);
	assert_int_equal(sink.len, 0);
	buf_done(&sink);
}

static void test_garbage_does_not_reach_the_sink(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct span bytes;
	} rows[] = {
		{"no room for the length", SPAN("\x03\0\0\0\x08\0\x01\0\0\0\0")},
		{"a byte too many", SPAN("\x06\0\0\0\x08\0\x01\0\x01\0\0\0xy")},
		{"a byte too few", SPAN("\x05\0\0\0\x08\0\x01\0\x02\0\0\0xy")},
		{"above the limit", SPAN("\x25\xf7\x03\0\x08\0\x01\0\x21\xf7\x03\0xy")},
		{"an end within the length", SPAN("\x06\0\0\0\x08\0\x01\0\x02\0")},
		{"an end within the bytes", SPAN("\x08\0\0\0\x08\0\x01\0\x04\0\0\0xy")},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int fd[2];
		print_message("%s\n", rows[i].name);
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd);
		assert_true(write(fd[1], rows[i].bytes.ptr, rows[i].bytes.len) ==
			(ssize_t)rows[i].bytes.len);
		close(fd[1]);
		struct channel *channel = channel_new(fd[0]);
		task_loop_open();
		task_spawn("expect", expect_bad_bulk, channel, 0);
		task_loop_run();
		channel_free(channel);
		task_loop_close();
	}
}

static void expect_bad(void *arg)
{
	void *message;
	assert_int_equal(channel_expect(arg, &sample_type, TASK_FOREVER, &message), -EBADMSG);
	assert_int_equal(channel_expect(arg, &sample_type, TASK_FOREVER, &message), -EPIPE);
}

static void test_garbage_closes_the_channel(void **state)
{
	(void)state;
	static const struct span garbage[] = {SPAN("\xff\xff\xff\xff\x07\0\x02\0"),
		SPAN("\0\0\0\0\x07\0\x03\0"), SPAN("\0\0\0\0\x08\0\x02\0"),
		SPAN("\x01\0\0\0\x07\0\x02\0\x02")};
	for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
		int fd[2];
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd);
		assert_true(write(fd[1], garbage[i].ptr, garbage[i].len) == (ssize_t)garbage[i].len);
		struct channel *channel = channel_new(fd[0]);
		task_loop_open();
		task_spawn("expect", expect_bad, channel, 0);
		task_loop_run();
		channel_free(channel);
		task_loop_close();
		close(fd[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limits_are_kept),
		cmocka_unit_test(test_channel),
		cmocka_unit_test(test_garbage_closes_the_channel),
		cmocka_unit_test(test_a_descriptor_without_room_closes_the_channel),
		cmocka_unit_test(test_long_bytes_are_sent_and_received_in_place),
		cmocka_unit_test(test_garbage_does_not_reach_the_sink),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
