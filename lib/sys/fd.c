/* See fd.h.
 * SPDX-License-Identifier: ISC */
#include "sys/fd.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define PIECE 16384

int fd_read_all(int fd, struct buf *out)
{
	for (;;) {
		size_t room = out->cap - out->len, want = room < PIECE ? room : PIECE;
		char beyond;
		char *at = want > 0 ? buf_reserve(out, want) : &beyond;
		if (at == NULL)
			return -ENOMEM;
		ssize_t n = read(fd, at, want > 0 ? want : 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (want == 0)
			return -EFBIG;
		out->len += (size_t)n;
	}
}

ssize_t fd_read_at(int fd, void *bytes, size_t len, uint64_t offset)
{
	size_t done = 0;
	while (done < len) {
		ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.ptr, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes = span_skip(bytes, (size_t)n);
	}
	return 0;
}

bool fd_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS;
}

bool fd_has_hung_up(int fd)
{
	struct pollfd socket = {.fd = fd, .events = POLLRDHUP};
	return poll(&socket, 1, 0) == 1 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}
