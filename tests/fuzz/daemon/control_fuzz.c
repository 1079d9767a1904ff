/* What a process sends to master: packets of any length with any number of descriptors. Each is a
 * whole message or refused, and no descriptor stays open that was not given out. The first byte
 * chooses how many descriptors go along.
 * SPDX-License-Identifier: ISC */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

#define FDS_MAX 7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int count_descriptors(void)
{
	int count = 0;
	for (int fd = 0; fd < 64; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void send_packet(int socket_fd, const uint8_t *data, size_t size, size_t fd_count)
{
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} space = {{0}};
	int fds[FDS_MAX];
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd_count > 0) {
		header.msg_control = space.bytes;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *item = CMSG_FIRSTHDR(&header);
		item->cmsg_level = SOL_SOCKET;
		item->cmsg_type = SCM_RIGHTS;
		item->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		for (size_t i = 0; i < fd_count; i++)
			fds[i] = socket_fd;
		memcpy(CMSG_DATA(item), fds, fd_count * sizeof(int));
	}
	CHECK(sendmsg(socket_fd, &header, MSG_NOSIGNAL) == (ssize_t)size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_message message, again;
	int ends[2], fd = -1, second_fd;
	if (size < 2 || size > 4 * sizeof message)
		return 0;
	size_t fd_count = data[0] % (FDS_MAX + 1);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	int before = count_descriptors();
	send_packet(ends[0], data + 1, size - 1, fd_count);
	int error = control_receive(ends[1], &message, &fd);
	CHECK(error == 0 || error == -EBADMSG);
	CHECK((error == 0) == (size - 1 == sizeof message && fd_count <= 1 &&
		memcmp(data + 1, &(uint32_t){CONTROL_MAGIC}, sizeof(uint32_t)) == 0));
	CHECK((fd >= 0) == (error == 0 && fd_count == 1));
	if (error == 0) {
		CHECK(memchr(message.text, '\0', sizeof message.text) != NULL);
		CHECK(control_send(ends[0], &message, fd) == 0);
		CHECK(control_receive(ends[1], &again, &second_fd) == 0);
		CHECK(memcmp(&message, &again, sizeof message) == 0);
		CHECK((second_fd >= 0) == (fd >= 0));
		if (second_fd >= 0)
			close(second_fd);
	}
	if (fd >= 0)
		close(fd);
	CHECK(count_descriptors() == before);
	/* The next one is heard as if nothing had been. */
	CHECK(control_receive(ends[1], &message, &fd) == -EAGAIN);
	close(ends[0]);
	close(ends[1]);
	return 0;
}
