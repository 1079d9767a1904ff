/* Message bytes by wire offset. Reading goes through the page cache in place and through the thread
 * pool when the disk has to be waited for. The place where a range ended is remembered in the
 * session: clients fetch large messages in pieces, one after the other.
 * SPDX-License-Identifier: ISC */
#include "imapd/content.h"

#include <errno.h>
#include <unistd.h>

#include "store/content.h"
#include "task/file.h"

#define PIECE 32768
#define GAP_MAX 4096
#define PARTS_CAP (16 * 1024 * 1024)

void content_init(struct content *content, struct session *session, uint32_t uid)
{
	*content = (struct content){.session = session, .uid = uid, .fd = -1};
	content->parts = BUF_LARGE(PARTS_CAP);
}

void content_done(struct content *content)
{
	if (content->fd >= 0)
		close(content->fd);
	buf_done(&content->parts);
}

int content_open(struct content *content)
{
	if (content->fd >= 0)
		return 0;
	int fd = mailbox_message_open(
		content->session->mailbox, content->uid, &content->file_size);
	if (fd < 0)
		return fd;
	content->fd = fd;
	return 0;
}

int content_load_parts(struct content *content)
{
	if (content->parts.len > 0)
		return 0;
	int error = mailbox_message_cache(
		content->session->mailbox, content->uid, CACHE_PARTS, &content->parts);
	if (error == 0 && content->parts.len < sizeof(struct message_part))
		error = -EIO;
	return error;
}

size_t content_part_count(const struct content *content)
{
	return content->parts.len / sizeof(struct message_part);
}

struct message_part content_part(const struct content *content, size_t index)
{
	struct message_part part;
	memcpy(&part, content->parts.ptr + index * sizeof(part), sizeof(part));
	return part;
}

/* Index of the numbered child, or SIZE_MAX. */
static size_t find_child(const struct content *content, size_t parent, uint32_t number)
{
	for (size_t i = parent + 1; i < content_part_count(content); i++) {
		struct message_part part = content_part(content, i);
		if (part.parent == parent && part.number == number)
			return i;
	}
	return SIZE_MAX;
}

/* Which part does "1.2.3" name? A message that is no multipart has one part, 1: its body (RFC 3501
 * 6.4.5). SIZE_MAX: there is none. */
static size_t find_part(const struct content *content, const struct imap_section *section)
{
	size_t message = 0, part = SIZE_MAX;
	for (size_t i = 0; i < section->part_count; i++) {
		size_t container = message;
		if (i > 0) {
			struct message_part above = content_part(content, part);
			if (above.kind == PART_LEAF)
				return SIZE_MAX;
			/* The message inside message/rfc822 takes the place of the outermost one.
			 */
			container =
				above.kind == PART_MESSAGE ? find_child(content, part, 1) : part;
			if (container == SIZE_MAX)
				return SIZE_MAX;
		}
		if (content_part(content, container).kind == PART_MULTIPART)
			part = find_child(content, container, section->parts[i]);
		else
			part = section->parts[i] == 1 ? container : SIZE_MAX;
		if (part == SIZE_MAX)
			return SIZE_MAX;
	}
	return part;
}

bool content_section(const struct content *content, const struct imap_section *section,
	uint64_t *ret_start, uint64_t *ret_end)
{
	size_t index = section->part_count == 0 ? 0 : find_part(content, section);
	if (index == SIZE_MAX)
		return false;
	struct message_part part = content_part(content, index);
	bool of_message = section->kind != IMAP_SECTION_ALL && section->kind != IMAP_SECTION_MIME;
	if (section->part_count > 0 && of_message) {
		/* n.HEADER and n.TEXT are those of the message inside part n */
		index = part.kind == PART_MESSAGE ? find_child(content, index, 1) : SIZE_MAX;
		if (index == SIZE_MAX)
			return false;
		part = content_part(content, index);
	}
	*ret_start = part.header_offset;
	*ret_end = part.end_offset;
	switch (section->kind) {
	case IMAP_SECTION_ALL:
		if (section->part_count > 0)
			*ret_start = part.body_offset;
		break;
	case IMAP_SECTION_TEXT:
		*ret_start = part.body_offset;
		break;
	case IMAP_SECTION_HEADER:
	case IMAP_SECTION_FIELDS:
	case IMAP_SECTION_FIELDS_NOT:
	case IMAP_SECTION_MIME:
		*ret_end = part.body_offset;
		break;
	}
	return *ret_start <= *ret_end;
}

/* As many bytes in the file as on the wire: all line ends are CRLF already. */
static bool is_as_on_wire(const struct content *content)
{
	return content->parts.len > 0 && content->file_size == content_part(content, 0).end_offset;
}

/* Where reading for wire offset start begins. */
static struct content_place start_place(const struct content *content, uint64_t start)
{
	const struct session *session = content->session;
	struct content_place place = session->place;
	if (place.uid != content->uid || place.wire_offset > start)
		place = (struct content_place){.uid = content->uid};
	if (is_as_on_wire(content))
		place = (struct content_place){
			.uid = content->uid, .wire_offset = start, .file_offset = start};
	return place;
}

/* Sends, or appends to out. */
static int put(struct content *content, struct span part, struct buf *out)
{
	if (out != NULL) {
		buf_append(out, part);
		return out->overflow ? -EFBIG : 0;
	}
	connection_write(&content->session->connection, part);
	return content->session->connection.failed ? -EPIPE : 0;
}

/* How much to read at place. No more than is asked for, as a message may have thousands of small
 * parts; what is in the file is at least half as long as on the wire, and never longer. The next
 * part will be looked for from the place where the last piece began, so that is brought close to
 * start. */
static size_t next_piece(const struct content_place *place, uint64_t start, uint64_t end)
{
	uint64_t gap = start > place->wire_offset ? start - place->wire_offset : 0;
	uint64_t want = gap > GAP_MAX ? gap / 2 : end - place->wire_offset;
	return want < PIECE ? (size_t)want : PIECE;
}

static int copy_range(struct content *content, uint64_t start, uint64_t end, struct buf *out)
{
	struct content_place place = start_place(content, start);
	bool as_is = is_as_on_wire(content);
	struct buf raw = BUF_INIT(PIECE), wire = BUF_INIT(2 * PIECE + 2);
	int error = 0;
	while (error == 0 && start < end) {
		size_t want = next_piece(&place, start, end);
		char *bytes = buf_reserve(&raw, want);
		if (bytes == NULL) {
			error = -ENOMEM;
			break;
		}
		ssize_t count = task_read_some(content->fd, bytes, want, place.file_offset);
		if (count <= 0) {
			error = count < 0 ? (int)count : -EIO;
			break;
		}
		struct content_state state = {place.after_cr};
		struct span piece = span_new(bytes, (size_t)count);
		buf_reset(&wire);
		if (!as_is)
			content_to_crlf(&state, piece, &wire);
		struct span sent = as_is ? piece : buf_span(&wire);
		uint64_t wire_end = place.wire_offset + sent.len;
		if (wire_end > start) {
			size_t from = (size_t)(start - place.wire_offset);
			uint64_t until = end < wire_end ? end : wire_end;
			error = put(content, span_part(sent, from, (size_t)(until - start)), out);
			start = until;
		}
		if (start < end)
			place = (struct content_place){.uid = content->uid,
				.wire_offset = wire_end,
				.file_offset = place.file_offset + (size_t)count,
				.after_cr = state.after_cr};
		(void)task_yield();
	}
	content->session->place = place;
	buf_done(&raw);
	buf_done(&wire);
	return error;
}

int content_send(struct content *content, uint64_t start, uint64_t end)
{
	int error = content_open(content);
	return error != 0 ? error : copy_range(content, start, end, NULL);
}

int content_read(struct content *content, uint64_t start, uint64_t end, struct buf *out)
{
	int error = content_open(content);
	return error != 0 ? error : copy_range(content, start, end, out);
}
