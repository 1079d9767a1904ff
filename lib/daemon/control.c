/* Sends and receives control messages with their descriptor.
 * SPDX-License-Identifier: ISC */
#include "daemon/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union descriptor_space {
	char bytes[CMSG_SPACE(sizeof(int) * 4)];
	struct cmsghdr align;
};

void control_message_init(struct control_message *message, enum control_type type)
{
	memset(message, 0, sizeof *message);
	message->magic = CONTROL_MAGIC;
	message->type = type;
}

bool control_message_set_text(struct control_message *message, const char *text)
{
	size_t len = strlen(text);
	if (len >= sizeof message->text)
		return false;
	memcpy(message->text, text, len + 1);
	return true;
}

int control_send(int socket_fd, const struct control_message *message, int fd)
{
	union descriptor_space space = {{0}};
	/* sendmsg does not change what iov_base points to. */
	struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof *message};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		header.msg_control = space.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int));
		struct cmsghdr *item = CMSG_FIRSTHDR(&header);
		item->cmsg_level = SOL_SOCKET;
		item->cmsg_type = SCM_RIGHTS;
		item->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(item), &fd, sizeof fd);
	}
	ssize_t n;
	do {
		n = sendmsg(socket_fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return n == (ssize_t)sizeof *message ? 0 : -EMSGSIZE;
}

/* Takes the first descriptor; more than one is a breach and all are closed. */
static int take_descriptors(struct msghdr *header, int *ret_fd)
{
	int count = 0;
	*ret_fd = -1;
	for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item != NULL;
		item = CMSG_NXTHDR(header, item)) {
		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
			if (count++ == 0)
				*ret_fd = fd;
			else
				close(fd);
		}
	}
	return count;
}

int control_receive(int socket_fd, struct control_message *ret_message, int *ret_fd)
{
	union descriptor_space space = {{0}};
	struct iovec part = {.iov_base = ret_message, .iov_len = sizeof *ret_message};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
	ssize_t n;
	do {
		n = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	int count = take_descriptors(&header, ret_fd);
	/* Without a free descriptor the one that was sent is gone, and the message is as good as
	 * ever. */
	bool too_many = count > 1 || (count == 1 && (header.msg_flags & MSG_CTRUNC));
	bool whole = n == (ssize_t)sizeof *ret_message && !too_many &&
		     !(header.msg_flags & MSG_TRUNC) && ret_message->magic == CONTROL_MAGIC;
	if (whole) {
		ret_message->text[CONTROL_TEXT_MAX - 1] = '\0';
		return 0;
	}
	if (*ret_fd >= 0)
		close(*ret_fd);
	*ret_fd = -1;
	return n == 0 ? -EPIPE : -EBADMSG;
}
