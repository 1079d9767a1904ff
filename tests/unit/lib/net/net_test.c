/* Addresses and buffered streams: lines, limits, deadlines, end of file, backpressure.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "net/own_address.h"
#include "net/socket.h"
#include "net/stream.h"

static void test_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *text, *printed;
	} good[] = {{"127.0.0.1", "127.0.0.1"}, {"IPv6:2001:DB8::1", "2001:db8::1"}, {"::1", "::1"}};
	struct buf out = BUF_INIT(100);
	struct address address;
	for (size_t i = 0; i < 3; i++) {
		buf_reset(&out);
		assert_true(address_parse_ip(span_from_cstr(good[i].text), 25, &address));
		address_format(&address, &out);
		assert_string_equal(buf_cstr(&out), good[i].printed);
		assert_int_equal(address_port(&address), 25);
	}
	static const char *bad[] = {"", "1.2.3", "01.2.3.4.5", "::g", "[::1]", "localhost",
		"IPv6:192.0.2.1"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(address_parse_ip(span_from_cstr(bad[i]), 0, &address));
	buf_done(&out);
}

static bool own_has(const struct own_addresses *own, const char *text)
{
	struct address address;
	assert_true(address_parse_ip(span_from_cstr(text), 0, &address));
	return own_addresses_have(own, &address);
}

static void test_own_addresses(void **state)
{
	(void)state;
	struct own_addresses own = {0};
	struct span list = SPAN("192.0.2.1, [2001:db8::1]\tno-such-host.invalid");
	assert_int_equal(own_addresses_add(&own, list), 0);
	assert_true(own_has(&own, "192.0.2.1") && own_has(&own, "2001:db8::1"));
	assert_false(own_has(&own, "127.0.0.1"));
	assert_int_equal(own_addresses_add(&own, SPAN("loopback-only")), 0);
	assert_true(own_has(&own, "127.0.0.1"));
	own_addresses_done(&own);
	assert_false(own_has(&own, "192.0.2.1"));
}

static int mark_end;

static void read_lines(void *arg)
{
	struct stream *stream = arg;
	struct span line;
	assert_int_equal(stream_read_line(stream, 100, TASK_FOREVER, &line), 0);
	assert_true(span_equal(line, SPAN("one\r\n")));
	assert_int_equal(stream_read_line(stream, 100, TASK_FOREVER, &line), 0);
	assert_true(span_equal(line, SPAN("two\n")));
	/* Eight bytes at most: the rest of the line comes next. */
	assert_int_equal(stream_read_line(stream, 8, TASK_FOREVER, &line), -EMSGSIZE);
	assert_true(span_equal(line, SPAN("01234567")));
	assert_int_equal(stream_read_line(stream, 8, TASK_FOREVER, &line), 0);
	assert_true(span_equal(line, SPAN("89\n")));
	assert_int_equal(stream_read_line(stream, 8, task_deadline(20), &line), -ETIMEDOUT);
	assert_int_equal(stream_wait_input(stream, TASK_FOREVER), 0);
	assert_int_equal(stream_read_line(stream, 8, TASK_FOREVER, &line), 0);
	assert_true(span_equal(line, SPAN("end\n")));
	assert_int_equal(stream_read_line(stream, 8, TASK_FOREVER, &line), -EPIPE);
	stream_free(stream);
}

static int writer_fd;

static void write_bytewise(void *arg)
{
	(void)arg;
	const char *text = "one\r\ntwo\n0123456789\n";
	for (; *text != '\0'; text++) {
		assert_int_equal(write(writer_fd, text, 1), 1);
		task_yield();
	}
	task_sleep(60);
	assert_int_equal(write(writer_fd, "end\n", 4), 4);
	close(writer_fd);
}

static void test_lines(void **state)
{
	(void)state;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	writer_fd = fd[1];
	task_loop_open();
	task_spawn("read", read_lines, stream_new(fd[0], 4096, 4096), 0);
	task_spawn("write", write_bytewise, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

static void send_much(void *arg)
{
	struct stream *stream = arg;
	char block[1000];
	memset(block, 'x', sizeof block);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(stream_write(stream, span_new(block, sizeof block)), 0);
	stream_close(stream, TASK_FOREVER);
}

static void receive_much(void *arg)
{
	struct stream *stream = arg;
	struct span bytes;
	size_t total = 0;
	while (stream_peek(stream, TASK_FOREVER, &bytes) == 0) {
		total += bytes.len;
		stream_consume(stream, bytes.len);
	}
	assert_true(total == 2000 * 1000);
	stream_free(stream);
}

static void test_backpressure(void **state)
{
	(void)state;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	task_loop_open();
	task_spawn("send", send_much, stream_new(fd[0], 4096, 4096), 0);
	task_spawn("receive", receive_much, stream_new(fd[1], 65536, 4096), 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

/* Waiting keeps no buffer, but a pipeline that is there is there at once. */
static void wait_for_pipeline(void *arg)
{
	struct stream *stream = arg;
	static const size_t lengths[] = {1, 511, 512, 513, 3000};
	char block[3000];
	memset(block, 'x', sizeof block);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		assert_int_equal(write(writer_fd, block, lengths[i]), (ssize_t)lengths[i]);
		assert_int_equal(stream_wait_input(stream, TASK_FOREVER), 0);
		assert_int_equal(stream_buffered(stream).len, lengths[i]);
		stream_consume(stream, lengths[i]);
	}
	close(writer_fd);
	assert_int_equal(stream_wait_input(stream, TASK_FOREVER), 0);
	assert_int_equal(stream_buffered(stream).len, 0);
	stream_free(stream);
}

static void test_pipeline(void **state)
{
	(void)state;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	writer_fd = fd[1];
	task_loop_open();
	task_spawn("wait", wait_for_pipeline, stream_new(fd[0], 8192, 4096), 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

static void accept_one(void *arg)
{
	struct address peer;
	int fd = socket_accept(*(int *)arg, TASK_FOREVER, &peer);
	assert_true(fd >= 0 && address_is_loopback(&peer));
	assert_int_equal(write(fd, "x\n", 2), 2);
	close(fd);
}

static void connect_one(void *arg)
{
	struct address address;
	struct span line;
	socket_local_address(*(int *)arg, &address);
	int fd = socket_connect(&address, NULL, task_deadline(5000));
	assert_true(fd >= 0);
	struct stream *stream = stream_new(fd, 100, 100);
	assert_int_equal(stream_read_line(stream, 10, task_deadline(5000), &line), 0);
	stream_free(stream);
	address.v4.sin_port = htons(1);
	assert_int_equal(socket_connect(&address, NULL, task_deadline(5000)), -ECONNREFUSED);
}

static void test_connect(void **state)
{
	(void)state;
	struct address address;
	address_parse_ip(SPAN("127.0.0.1"), 0, &address);
	int fd = socket_listen(&address, 10, 0);
	assert_true(fd >= 0);
	task_loop_open();
	task_spawn("accept", accept_one, &fd, 0);
	task_spawn("connect", connect_one, &fd, 0);
	assert_int_equal(task_loop_run(), 0);
	task_forget_fd(fd);
	close(fd);
	task_loop_close();
}

/* --- hanging up --- */

static void hang_up_on_a_talker(void *arg)
{
	struct address peer;
	struct span line;
	int fd = socket_accept(*(int *)arg, TASK_FOREVER, &peer);
	assert_true(fd >= 0);
	struct stream *stream = stream_new(fd, 4096, 4096);
	assert_int_equal(stream_read_line(stream, 100, TASK_FOREVER, &line), 0);
	assert_int_equal(stream_write_cstr(stream, "bye\n"), 0);
	stream_hang_up(stream, task_deadline(60000));
	mark_end++;
}

static void talk_on(void *arg)
{
	struct address address;
	struct span line;
	char block[20000];
	memset(block, 'x', sizeof block);
	socket_local_address(*(int *)arg, &address);
	int fd = socket_connect(&address, NULL, task_deadline(60000));
	assert_true(fd >= 0);
	struct stream *stream = stream_new(fd, 100, sizeof block);
	assert_int_equal(stream_write_cstr(stream, "hello\n"), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(stream_write(stream, span_new(block, sizeof block)), 0);
		assert_int_equal(stream_flush(stream, task_deadline(60000)), 0);
		for (int turn = 0; turn < 20; turn++)
			task_yield();
	}
	assert_int_equal(mark_end, 0); /* it waits for our end */
	assert_int_equal(stream_read_line(stream, 10, task_deadline(60000), &line), 0);
	assert_true(span_equal(line, SPAN("bye\n")));
	/* An end, not a reset. */
	assert_int_equal(stream_read_line(stream, 10, task_deadline(60000), &line), -EPIPE);
	stream_free(stream);
}

static void test_who_is_hung_up_on_reads_the_last_line(void **state)
{
	(void)state;
	struct address address;
	address_parse_ip(SPAN("127.0.0.1"), 0, &address);
	mark_end = 0;
	task_loop_open();
	task_clock_fake(1000); /* its patience does not end, however slow this machine is */
	int listener = socket_listen(&address, 5, 0);
	assert_true(listener >= 0);
	task_spawn("hang up", hang_up_on_a_talker, &listener, 0);
	task_spawn("talk", talk_on, &listener, 0);
	assert_int_equal(task_loop_run(), 0);
	assert_int_equal(mark_end, 1);
	task_forget_fd(listener);
	close(listener);
	task_loop_close();
}

static void hang_up(void *arg)
{
	struct stream *stream = arg;
	assert_int_equal(stream_write_cstr(stream, "bye\n"), 0);
	stream_hang_up(stream, task_deadline(60000));
	mark_end++;
}

static void say_nothing(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++)
		task_yield();
	task_clock_advance(1900);
	for (int i = 0; i < 10; i++)
		task_yield();
	assert_int_equal(mark_end, 0);
	task_clock_advance(200);
	for (int i = 0; i < 10; i++)
		task_yield();
	assert_int_equal(mark_end, 1);
}

static void say_much(void *arg)
{
	struct stream *stream = arg;
	char block[4096] = {0};
	size_t total = 0;
	while (stream_write(stream, span_new(block, sizeof block)) == 0 &&
		stream_flush(stream, TASK_FOREVER) == 0)
		total += sizeof block;
	assert_in_range(total, 256 * 1024, 4 * 1024 * 1024);
	assert_int_equal(mark_end, 1);
	stream_free(stream);
}

static void test_hanging_up_has_limits(void **state)
{
	(void)state;
	int fd[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	mark_end = 0;
	task_loop_open();
	task_clock_fake(1000);
	task_spawn("hang up", hang_up, stream_new(fd[0], 4096, 4096), 0);
	task_spawn("silence", say_nothing, NULL, 0);
	assert_int_equal(task_loop_run(), 0);
	close(fd[1]);
	socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	mark_end = 0;
	task_spawn("hang up", hang_up, stream_new(fd[0], 4096, 4096), 0);
	task_spawn("talk", say_much, stream_new(fd[1], 4096, 4096), 0);
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_own_addresses),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_backpressure),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_who_is_hung_up_on_reads_the_last_line),
		cmocka_unit_test(test_hanging_up_has_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
