/* Going through a segment: see queue_scan in reader.h.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sys/file.h>

#include "queue/reader.h"
#include "queue/reader_private.h"
#include "task/file.h"

#define SCAN_WINDOW (1024u * 1024)
#define SCAN_FIRST (16u * 1024) /* a scan is mostly for the one message that was just queued */

/* A writer holds its segment locked; then a torn record is one that is being written. */
static bool is_being_written(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) < 0)
		return true;
	flock(fd, LOCK_UN);
	return false;
}

/* Offset of the next place in the window that looks like a record of this epoch; its length if none
 * does. Nobody outside knows the epoch, so content cannot pretend. */
static size_t find_record(struct span window, uint64_t epoch)
{
	struct record_header header;
	size_t at = 0;
	for (; at + RECORD_HEADER_SIZE <= window.len; at += 8)
		if (record_header_decode(span_skip(window, at), epoch, &header) == RECORD_OK)
			return at;
	return at;
}

struct scan {
	const struct queue_scan *wanted;
	struct open_segment *open;
	struct buf window;
	uint64_t start;	 /* offset of the window in the segment */
	uint64_t offset; /* where the scan stands */
	uint64_t end;	 /* behind the last record visited */
	uint64_t damage; /* where no record was found although one should be; 0: none */
	size_t take;	 /* bytes to read next: more each time */
	int idle;	 /* nobody writes here: 1; somebody does: 0; not asked: -1 */
};

/* Makes the window begin at the scan's offset and hold want bytes, if the segment has them. */
static int fill_window(struct scan *scan, size_t want)
{
	struct segment *segment = &scan->open->segment;
	if (scan->offset >= scan->start + scan->window.len) {
		buf_reset(&scan->window);
		scan->start = scan->offset;
	}
	size_t skip = (size_t)(scan->offset - scan->start);
	if (scan->window.len - skip >= want)
		return 0;
	buf_consume(&scan->window, skip);
	scan->start = scan->offset;
	size_t take = want < scan->take ? scan->take : want;
	if (scan->take < SCAN_WINDOW)
		scan->take *= 2;
	uint64_t left = segment->size > scan->start ? segment->size - scan->start : 0;
	if (take > left)
		take = (size_t)left;
	if (take <= scan->window.len)
		return 0;
	size_t more = take - scan->window.len;
	char *to = buf_reserve(&scan->window, more);
	if (to == NULL)
		return -ENOMEM;
	ssize_t n = task_read_at(segment->fd, to, more, scan->start + scan->window.len);
	if (n < 0)
		return (int)n;
	scan->window.len += (size_t)n;
	return 0;
}

static struct span scan_bytes(const struct scan *scan)
{
	return span_skip(buf_span(&scan->window), (size_t)(scan->offset - scan->start));
}

static bool visit(struct scan *scan, uint64_t offset, const struct record_header *header,
	struct span head)
{
	const struct queue_scan *wanted = scan->wanted;
	struct queue_position position = {wanted->segment, offset, record_size(header->length)};
	struct queue_envelope envelope;
	scan->end = offset + position.length;
	if (header->type != RECORD_MESSAGE || wanted->visit == NULL ||
		!queue_envelope_decode(head, &envelope))
		return true;
	return wanted->visit(wanted->arg, &position, &envelope);
}

static void tell_damaged(const struct scan *scan, uint64_t from, uint64_t to)
{
	struct queue_position region = {scan->wanted->segment, from, (size_t)(to - from)};
	if (scan->wanted->damaged != NULL && to > from)
		scan->wanted->damaged(scan->wanted->arg, &region);
}

/* No record is larger. */
static uint64_t at_most(uint64_t length)
{
	uint64_t most = record_size(RECORD_BODY_MAX);
	return length < most ? length : most;
}

static int read_region(
	const struct open_segment *open, const struct queue_position *region, struct buf *out)
{
	char *to = buf_reserve(out, region->length);
	if (to == NULL)
		return -ENOMEM;
	ssize_t n = task_read_at(open->segment.fd, to, region->length, region->offset);
	if (n < 0)
		return (int)n;
	out->len += (size_t)n;
	return 0;
}

/* Between two whole records, bytes [from, to): each record whose envelope is whole is visited, the
 * rest is told. *ret_go_on: what visit said. */
static int visit_gap(struct scan *scan, uint64_t from, uint64_t to, bool *ret_go_on)
{
	struct buf bytes = BUF_INIT(RECORD_BODY_MAX + SCAN_WINDOW);
	int error = 0;
	while (from < to && error == 0 && *ret_go_on) {
		struct queue_position region = {scan->wanted->segment, from, at_most(to - from)};
		struct record_header header;
		buf_reset(&bytes);
		error = read_region(scan->open, &region, &bytes);
		if (error != 0)
			break;
		struct span record = buf_span(&bytes);
		if (record_header_decode(record, scan->open->segment.epoch, &header) != RECORD_OK ||
			record_size(header.length) > to - from)
			break;
		struct span head = span_part(record, RECORD_HEADER_SIZE, header.head_length);
		if (!record_check_head(&header, record, head))
			break;
		*ret_go_on = visit(scan, from, &header, head);
		from += record_size(header.length);
	}
	buf_done(&bytes);
	if (*ret_go_on)
		tell_damaged(scan, from, to);
	return error;
}

/* Behind the last record: nothing, what an earlier life of the file left, or records that are not
 * whole. */
static void tell_tail(struct scan *scan)
{
	struct buf bytes = BUF_INIT(RECORD_BODY_MAX + SCAN_WINDOW);
	uint64_t at = scan->damage, size = scan->open->segment.size;
	while (at < size && scan->wanted->damaged != NULL) {
		struct queue_position region = {scan->wanted->segment, at, at_most(size - at)};
		buf_reset(&bytes);
		if (read_region(scan->open, &region, &bytes) != 0)
			break;
		size_t length = record_begun(buf_span(&bytes), scan->open->segment.epoch);
		if (length == 0)
			break;
		tell_damaged(scan, at, at + length);
		at += length;
	}
	buf_done(&bytes);
}

/* Where the scan stands there is no whole record: the end, or damage. 1 to go on, 0 to stop. */
static int pass_over(struct scan *scan)
{
	uint64_t epoch = scan->open->segment.epoch;
	if (scan->idle < 0)
		scan->idle = !is_being_written(scan->open->segment.fd);
	if (scan->damage == 0)
		scan->damage = scan->offset;
	if (scan->idle == 0 && scan->offset >= scan->wanted->until)
		return 0;
	if (scan_bytes(scan).len < RECORD_HEADER_SIZE) {
		if (scan->idle == 1)
			tell_tail(scan);
		return 0;
	}
	scan->offset += 8;
	scan->offset += find_record(scan_bytes(scan), epoch);
	return 1;
}

/* One record at the scan's offset: 1 to go on, 0 to stop, or -errno. */
static int scan_record(struct scan *scan)
{
	uint64_t epoch = scan->open->segment.epoch;
	struct record_header header;
	struct span head, rest;
	bool go_on = true;
	int error = fill_window(scan, RECORD_HEADER_SIZE);
	if (error != 0)
		return error;
	enum record_result result = record_header_decode(scan_bytes(scan), epoch, &header);
	if (result == RECORD_OK) {
		error = fill_window(scan, record_size(header.length));
		if (error != 0)
			return error;
		result = record_decode(scan_bytes(scan), epoch, &header, &head, &rest);
	}
	if (result != RECORD_OK)
		return pass_over(scan);
	if (scan->damage != 0)
		error = visit_gap(scan, scan->damage, scan->offset, &go_on);
	scan->damage = 0;
	if (error != 0 || !go_on)
		return error;
	go_on = visit(scan, scan->offset, &header, head);
	scan->offset += record_size(header.length);
	return go_on;
}

int queue_reader_scan(
	struct queue_reader *reader, const struct queue_scan *wanted, uint64_t *ret_end)
{
	struct scan scan = {.wanted = wanted, .window = BUF_INIT(RECORD_BODY_MAX + SCAN_WINDOW),
		.idle = -1, .take = SCAN_FIRST};
	int result = queue_reader_hold(reader, wanted->segment, &scan.open);
	if (result != 0)
		return result;
	scan.offset = wanted->from < SEGMENT_HEADER_SIZE ? SEGMENT_HEADER_SIZE
		: (wanted->from + 7) & ~(uint64_t)7;
	scan.start = scan.end = scan.offset;
	while ((result = scan_record(&scan)) == 1)
		;
	buf_done(&scan.window);
	queue_reader_release(scan.open);
	if (result == 0)
		*ret_end = scan.end;
	return result;
}
