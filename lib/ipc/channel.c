/* Typed messages over a UNIX stream socket, with descriptors beside them. A message that carries
 * descriptors starts its own sendmsg, so that they arrive with its first byte.
 * SPDX-License-Identifier: ISC */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"

#define HEADER_SIZE 8
#define READ_SIZE (16 * 1024)
#define FLUSH_AT (64 * 1024)
#define KEEP_IDLE (32 * 1024)
/* So much at the end of a message is sent from where it lies. */
#define TAIL_MIN (16 * 1024)
#define ARENA_MAX (8 * 1024 * 1024)
#define FLUSH_TIMEOUT (60 * 1000)

struct channel {
	int fd;
	struct buf in, out;
	size_t consumed; /* bytes of in that the last message took */
	int fds[MESSAGE_FDS_MAX * 2];
	size_t fd_count;
	struct arena arena;
	const struct message_type *sink_type; /* see channel_receive_into */
	struct buf *sink;
	bool broken;
	bool drained; /* the last read took all there was: wait before the next one */
};

struct channel *channel_new(int fd_take)
{
	struct channel *channel = NEW(struct channel);
	channel->fd = fd_take;
	int flags = fcntl(fd_take, F_GETFL);
	if (flags >= 0 && !(flags & O_NONBLOCK))
		(void)ioctl(fd_take, FIONBIO, &(int){1}); /* seccomp refuses F_SETFL */
	channel->in = BUF_LARGE(MESSAGE_SIZE_MAX + HEADER_SIZE + READ_SIZE);
	buf_init(&channel->out, MESSAGE_SIZE_MAX + FLUSH_AT + HEADER_SIZE);
	arena_init(&channel->arena, ARENA_MAX);
	return channel;
}

static void close_received(struct channel *channel)
{
	for (size_t i = 0; i < channel->fd_count; i++)
		close(channel->fds[i]);
	channel->fd_count = 0;
}

static void free_parts(struct channel *channel)
{
	close_received(channel);
	buf_wipe(&channel->in);
	buf_wipe(&channel->out);
	arena_done(&channel->arena);
	free(channel);
}

void channel_free(struct channel *channel)
{
	if (channel == NULL)
		return;
	task_forget_fd(channel->fd);
	close(channel->fd);
	free_parts(channel);
}

int channel_fd(const struct channel *channel)
{
	return channel->fd;
}

static void drop_consumed(struct channel *channel)
{
	if (channel->consumed == 0)
		return;
	buf_consume(&channel->in, channel->consumed);
	channel->consumed = 0;
	if (channel->in.len == 0)
		buf_shrink(&channel->in, KEEP_IDLE);
	arena_reset(&channel->arena);
}

int channel_release(struct channel *channel, struct buf *ret_leftover)
{
	int fd = channel->fd;
	drop_consumed(channel);
	if (ret_leftover != NULL)
		buf_append(ret_leftover, buf_span(&channel->in));
	task_forget_fd(fd);
	free_parts(channel);
	return fd;
}

size_t channel_unsent(const struct channel *channel)
{
	return channel->out.len;
}

/* Sends as much of what is gathered and of the tail behind it as goes without waiting; fds go
 * with the first byte. */
static ssize_t send_some(struct channel *channel, struct span tail, const int *fds, size_t fd_count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec parts[2] = {{channel->out.ptr, channel->out.len},
		{(void *)(uintptr_t)tail.ptr, tail.len}};
	struct msghdr header = {.msg_iov = parts, .msg_iovlen = tail.len > 0 ? 2 : 1};
	if (fd_count > 0) {
		memset(&control, 0, sizeof control);
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		struct cmsghdr *item = CMSG_FIRSTHDR(&header);
		item->cmsg_level = SOL_SOCKET;
		item->cmsg_type = SCM_RIGHTS;
		item->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(item), fds, sizeof(int) * fd_count);
	}
	ssize_t sent = sendmsg(channel->fd, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent < 0 ? -errno : sent;
}

static int flush_all(struct channel *channel, struct span tail, const int *fds, size_t fd_count,
	task_time deadline)
{
	while (channel->out.len + tail.len > 0) {
		ssize_t sent = send_some(channel, tail, fds, fd_count);
		if (sent > 0) {
			size_t gathered = channel->out.len;
			fd_count = 0;
			buf_consume(&channel->out, (size_t)sent);
			if ((size_t)sent > gathered)
				tail = span_skip(tail, (size_t)sent - gathered);
			continue;
		}
		int status = (int)sent;
		if (status == -EAGAIN)
			status = task_wait_fd(channel->fd, TASK_WRITE, deadline);
		else if (status == -EINTR)
			status = 0;
		if (status != 0) {
			channel->broken = true;
			return status == -ECONNRESET ? -EPIPE : status;
		}
	}
	buf_shrink(&channel->out, KEEP_IDLE);
	return 0;
}

int channel_flush(struct channel *channel, task_time deadline)
{
	return channel->broken ? -EPIPE : flush_all(channel, SPAN_EMPTY, NULL, 0, deadline);
}

static size_t count_fd_fields(const struct message_type *type)
{
	size_t count = 0;
	for (size_t i = 0; i < type->field_count; i++)
		count += type->fields[i].kind == FIELD_FD;
	return count;
}

int channel_send(struct channel *channel, const struct message_type *type, const void *message)
{
	int fds[MESSAGE_FDS_MAX];
	size_t fd_count;
	size_t before = channel->out.len;
	if (channel->broken)
		return -EPIPE;
	struct span tail = message_tail(type, message);
	if (tail.len >= TAIL_MIN && count_fd_fields(type) == 0) {
		int error = message_encode_head(type, message, &channel->out);
		return error != 0 ? error : flush_all(channel, tail, NULL, 0,
			task_deadline(FLUSH_TIMEOUT));
	}
	int status = message_encode(type, message, &channel->out, fds, &fd_count);
	if (status != 0)
		return status;
	if (fd_count > 0) {
		struct buf mine = BUF_INIT(channel->out.cap);
		buf_append(&mine, span_skip(buf_span(&channel->out), before));
		buf_truncate(&channel->out, before);
		status = channel_flush(channel, task_deadline(FLUSH_TIMEOUT));
		if (status == 0) {
			buf_done(&channel->out);
			channel->out = mine;
			return flush_all(channel, SPAN_EMPTY, fds, fd_count,
				task_deadline(FLUSH_TIMEOUT));
		}
		buf_done(&mine);
		return status;
	}
	return channel->out.len < FLUSH_AT ? 0 : channel_flush(channel, task_deadline(FLUSH_TIMEOUT));
}

static int keep_fds(struct channel *channel, struct msghdr *header)
{
	int status = 0;
	for (struct cmsghdr *item = CMSG_FIRSTHDR(header); item != NULL;
		item = CMSG_NXTHDR(header, item)) {
		if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
			if (channel->fd_count < ARRAY_LEN(channel->fds)) {
				channel->fds[channel->fd_count++] = fd;
			} else {
				close(fd);
				status = -EBADMSG;
			}
		}
	}
	return header->msg_flags & MSG_CTRUNC ? -EBADMSG : status;
}

/* Reads what is there: a count, 0 at the end, -EAGAIN or -errno. */
static ssize_t receive_some(struct channel *channel, size_t want)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS_MAX * 2)];
		struct cmsghdr align;
	} control;
	char *room = buf_reserve(&channel->in, want);
	if (room == NULL)
		return -ENOMEM;
	struct iovec part = {room, want};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	ssize_t count = recvmsg(channel->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count < 0)
		return errno == ECONNRESET ? 0 : -errno;
	int status = keep_fds(channel, &header);
	if (status != 0)
		return status;
	channel->in.len += (size_t)count;
	/* The kernel ends a read behind a message with descriptors, so that one says nothing. */
	channel->drained = count > 0 && (size_t)count < want && header.msg_controllen == 0;
	if (channel->drained)
		task_fd_drained(channel->fd);
	return count;
}

/* Reads what is there, or waits until there is something: a count, 0 at the end, -EAGAIN after a
 * wait, or -errno. An empty buffer keeps that many bytes meanwhile. */
static ssize_t receive_or_wait(
	struct channel *channel, size_t want, size_t keep, task_time deadline)
{
	ssize_t count = channel->drained ? -EAGAIN : receive_some(channel, want);
	if (count == -EINTR)
		return -EAGAIN;
	if (count != -EAGAIN)
		return count;
	channel->drained = false;
	if (channel->in.len == 0)
		buf_shrink(&channel->in, keep);
	int status = task_wait_fd(channel->fd, TASK_READ, deadline);
	return status != 0 ? status : -EAGAIN;
}

/* Until at least need bytes are in the buffer. */
static int fill(struct channel *channel, size_t need, task_time deadline)
{
	while (channel->in.len < need) {
		size_t missing = need - channel->in.len;
		ssize_t count = receive_or_wait(channel, missing > READ_SIZE ? missing : READ_SIZE,
			KEEP_IDLE, deadline);
		if (count == 0)
			return channel->in.len == 0 ? -EPIPE : -EBADMSG;
		if (count < 0 && count != -EAGAIN)
			return (int)count;
	}
	return 0;
}

static uint32_t get_number(const char *wire, size_t bytes)
{
	uint32_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint32_t)(unsigned char)wire[i] << (8 * i);
	return value;
}

/* The number of descriptors of this message: those that its type can carry and that have come. A
 * message behind it with descriptors of its own has not been read: the kernel ends a read there. */
static int decode_message(struct channel *channel, const struct message_type *type, size_t length,
	void **ret_message)
{
	void *message = arena_alloc(&channel->arena, type->size);
	size_t limit = count_fd_fields(type);
	size_t fd_count = channel->fd_count < limit ? channel->fd_count : limit;
	if (message == NULL)
		return -EBADMSG;
	struct span payload = span_part(buf_span(&channel->in), HEADER_SIZE, length);
	int status = -EBADMSG;
	for (size_t count = fd_count + 1; count-- > 0 && status != 0;)
		status = message_decode(type, payload, channel->fds, count, &channel->arena, message);
	if (status != 0)
		return status;
	/* Taken ones are those that the fields name. */
	size_t taken = 0;
	for (size_t i = 0; i < type->field_count; i++) {
		int fd;
		if (type->fields[i].kind != FIELD_FD)
			continue;
		memcpy(&fd, (char *)message + type->fields[i].offset, sizeof fd);
		taken += fd >= 0;
	}
	channel->fd_count -= taken;
	memmove(channel->fds, channel->fds + taken, channel->fd_count * sizeof channel->fds[0]);
	*ret_message = message;
	return 0;
}

/* Reads straight to where the bytes are wanted. */
static int receive_rest(struct channel *channel, char *to, size_t missing, task_time deadline)
{
	while (missing > 0) {
		struct iovec part = {to, missing};
		struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t count = channel->drained ? -1 : recvmsg(channel->fd, &header,
			MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int error = channel->drained ? EAGAIN : errno;
		if (count == 0 || (count < 0 && error == ECONNRESET) ||
			(count > 0 && (header.msg_flags & MSG_CTRUNC) != 0))
			return -EBADMSG;
		if (count > 0) {
			to += count;
			missing -= (size_t)count;
			channel->drained = missing > 0;
			if (channel->drained)
				task_fd_drained(channel->fd);
			continue;
		}
		channel->drained = false;
		int status = error == EINTR ? 0 : error != EAGAIN ? -error :
			task_wait_fd(channel->fd, TASK_READ, deadline);
		if (status != 0)
			return status;
	}
	return 0;
}

/* A message of the sink's type, whose header is in the buffer. 1: the sink has no room for it. */
static int receive_to_sink(struct channel *channel, size_t length, task_time deadline,
	void **ret_message)
{
	const struct message_type *type = channel->sink_type;
	struct buf *sink = channel->sink;
	int status = fill(channel, HEADER_SIZE + 4, deadline);
	if (status != 0)
		return status == -EPIPE ? -EBADMSG : status;
	size_t size = get_number(channel->in.ptr + HEADER_SIZE, 4);
	if (length < 4 || size != length - 4 || size > type->fields[0].limit)
		return -EBADMSG;
	if (size >= sink->cap - sink->len)
		return 1;
	struct span bytes = {.ptr = buf_reserve(sink, size), .len = size};
	struct span here = span_part(buf_span(&channel->in), HEADER_SIZE + 4, size);
	char *message = arena_alloc(&channel->arena, type->size);
	if (bytes.ptr == NULL)
		return 1;
	if (message == NULL)
		return -EBADMSG;
	memcpy(sink->ptr + sink->len, here.ptr, here.len);
	status = receive_rest(channel, sink->ptr + sink->len + here.len, size - here.len, deadline);
	if (status != 0)
		return status;
	sink->len += size;
	channel->consumed = HEADER_SIZE + 4 + here.len;
	memcpy(message + type->fields[0].offset, &bytes, sizeof bytes);
	*ret_message = message;
	return 0;
}

void channel_receive_into(struct channel *channel, const struct message_type *type,
	struct buf *sink)
{
	CHECK(type == NULL || (type->field_count == 1 && type->fields[0].kind == FIELD_SPAN));
	channel->sink_type = type;
	channel->sink = sink;
}

static int receive(struct channel *channel, const struct message_type *const *types,
	size_t type_count, task_time deadline, size_t *ret_which, void **ret_message)
{
	int status = fill(channel, HEADER_SIZE, deadline);
	if (status != 0)
		return status;
	size_t length = get_number(channel->in.ptr, 4);
	uint32_t number = get_number(channel->in.ptr + 4, 2);
	uint32_t version = get_number(channel->in.ptr + 6, 2);
	if (length > MESSAGE_SIZE_MAX - HEADER_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < type_count; i++) {
		if (types[i]->type != number || types[i]->version != version)
			continue;
		if (types[i] == channel->sink_type) {
			status = receive_to_sink(channel, length, deadline, ret_message);
			if (status == 0)
				*ret_which = i;
			if (status <= 0)
				return status;
		}
		status = fill(channel, HEADER_SIZE + length, deadline);
		if (status == -EPIPE)
			status = -EBADMSG;
		if (status == 0)
			status = decode_message(channel, types[i], length, ret_message);
		if (status != 0)
			return status;
		channel->consumed = HEADER_SIZE + length;
		*ret_which = i;
		return 0;
	}
	return -EBADMSG;
}

int channel_receive(struct channel *channel, const struct message_type *const *types,
	size_t type_count, task_time deadline, size_t *ret_which, void **ret_message)
{
	if (channel->broken)
		return -EPIPE;
	int status = channel_flush(channel, deadline);
	drop_consumed(channel);
	if (status == 0)
		status = receive(channel, types, type_count, deadline, ret_which, ret_message);
	if (status != 0)
		channel->broken = true;
	return status;
}

int channel_expect(struct channel *channel, const struct message_type *type, task_time deadline,
	void **ret_message)
{
	size_t which;
	return channel_receive(channel, &type, 1, deadline, &which, ret_message);
}

int channel_call(struct channel *channel, const struct message_type *type, const void *message,
	const struct message_type *reply_type, task_time deadline, void **ret_reply)
{
	int status = channel_send(channel, type, message);
	return status != 0 ? status : channel_expect(channel, reply_type, deadline, ret_reply);
}

int channel_wait(struct channel *channel, task_time deadline)
{
	if (channel->broken)
		return -EPIPE;
	int status = channel_flush(channel, deadline);
	drop_consumed(channel);
	while (status == 0 && channel->in.len == 0) {
		ssize_t count = receive_or_wait(channel, READ_SIZE, 0, deadline);
		if (count == 0)
			return -EPIPE;
		if (count < 0 && count != -EAGAIN)
			status = (int)count;
	}
	return status;
}
