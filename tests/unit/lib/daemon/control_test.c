/* Control messages: what arrives is a whole struct with at most one descriptor, or it is refused.
 * SPDX-License-Identifier: ISC */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];

static int open_pair(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

static int close_pair(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static int count_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void a_message_and_its_descriptor_arrive(void **state)
{
	struct control_message message, got;
	int fd = -1, pipe_ends[2];
	(void)state;
	assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
	control_message_init(&message, CONTROL_SERVE);
	message.id = 7;
	assert_true(control_message_set_text(&message, "smtp"));
	assert_int_equal(control_send(ends[0], &message, pipe_ends[1]), 0);
	assert_int_equal(control_receive(ends[1], &got, &fd), 0);
	assert_int_equal(got.type, CONTROL_SERVE);
	assert_int_equal(got.id, 7);
	assert_string_equal(got.text, "smtp");
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	char byte;
	assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
	close(fd);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void nothing_to_read_is_not_an_error(void **state)
{
	struct control_message got;
	int fd = -1;
	(void)state;
	assert_int_equal(control_receive(ends[1], &got, &fd), -EAGAIN);
	assert_int_equal(fd, -1);
}

static void a_closed_peer_is_the_end(void **state)
{
	struct control_message got;
	int fd = -1;
	(void)state;
	assert_int_equal(shutdown(ends[0], SHUT_RDWR), 0);
	assert_int_equal(control_receive(ends[1], &got, &fd), -EPIPE);
}

static void wrong_sizes_and_a_wrong_magic_are_refused(void **state)
{
	struct control_message message, got;
	char longer[sizeof message + 1];
	int fd = -1;
	(void)state;
	control_message_init(&message, CONTROL_READY);
	assert_true(send(ends[0], &message, sizeof message - 1, 0) > 0);
	assert_int_equal(control_receive(ends[1], &got, &fd), -EBADMSG);
	memset(longer, 0, sizeof longer);
	memcpy(longer, &message, sizeof message);
	assert_true(send(ends[0], longer, sizeof longer, 0) > 0);
	assert_int_equal(control_receive(ends[1], &got, &fd), -EBADMSG);
	message.magic++;
	assert_true(send(ends[0], &message, sizeof message, 0) > 0);
	assert_int_equal(control_receive(ends[1], &got, &fd), -EBADMSG);
	assert_int_equal(fd, -1);
}

static void a_text_without_end_is_given_one(void **state)
{
	struct control_message message, got;
	int fd = -1;
	(void)state;
	control_message_init(&message, CONTROL_CONNECT);
	memset(message.text, 'a', sizeof message.text);
	assert_true(send(ends[0], &message, sizeof message, 0) > 0);
	assert_int_equal(control_receive(ends[1], &got, &fd), 0);
	assert_int_equal(strlen(got.text), CONTROL_TEXT_MAX - 1);
}

static void a_text_that_is_too_long_is_refused(void **state)
{
	struct control_message message;
	char text[CONTROL_TEXT_MAX + 1];
	(void)state;
	memset(text, 'a', sizeof text);
	text[CONTROL_TEXT_MAX] = '\0';
	control_message_init(&message, CONTROL_CONNECT);
	assert_false(control_message_set_text(&message, text));
	text[CONTROL_TEXT_MAX - 1] = '\0';
	assert_true(control_message_set_text(&message, text));
}

/* Sends three descriptors by hand. */
static void send_three(const struct control_message *message)
{
	union {
		char bytes[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} space = {{0}};
	int fds[3] = {0, 0, 0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes,
		.msg_controllen = sizeof space.bytes};
	struct cmsghdr *item = CMSG_FIRSTHDR(&header);
	item->cmsg_level = SOL_SOCKET;
	item->cmsg_type = SCM_RIGHTS;
	item->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(item), fds, sizeof fds);
	assert_true(sendmsg(ends[0], &header, 0) > 0);
}

static void more_than_one_descriptor_is_refused_and_none_is_kept(void **state)
{
	struct control_message message, got;
	int fd = -1;
	(void)state;
	control_message_init(&message, CONTROL_SERVE);
	int before = count_descriptors();
	send_three(&message);
	assert_int_equal(control_receive(ends[1], &got, &fd), -EBADMSG);
	assert_int_equal(fd, -1);
	assert_int_equal(count_descriptors(), before);
}

/* Its process is at its limit: no number is free. */
static void a_message_arrives_where_its_descriptor_has_no_room(void **state)
{
	struct control_message message, got;
	struct rlimit before;
	int fd = -1;
	(void)state;
	control_message_init(&message, CONTROL_SERVE);
	message.id = 9;
	assert_int_equal(control_send(ends[0], &message, ends[0]), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	int error = control_receive(ends[1], &got, &fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(error, 0);
	assert_int_equal(got.id, 9);
	assert_int_equal(fd, -1);
	/* The next one is whole again. */
	assert_int_equal(control_send(ends[0], &message, ends[0]), 0);
	assert_int_equal(control_receive(ends[1], &got, &fd), 0);
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_message_and_its_descriptor_arrive, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(nothing_to_read_is_not_an_error, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(a_closed_peer_is_the_end, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			wrong_sizes_and_a_wrong_magic_are_refused, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(a_text_without_end_is_given_one, open_pair, close_pair),
		cmocka_unit_test(a_text_that_is_too_long_is_refused),
		cmocka_unit_test_setup_teardown(
			more_than_one_descriptor_is_refused_and_none_is_kept, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			a_message_arrives_where_its_descriptor_has_no_room, open_pair, close_pair),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
