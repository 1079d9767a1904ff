/* A message: its MIME tree, ENVELOPE and BODYSTRUCTURE. Extents must lie inside the message.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "imap/structure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_extent(const struct mime_extent *extent, size_t size)
{
	CHECK(extent->offset <= size && extent->size <= size - extent->offset);
	CHECK(extent->crlf_size >= extent->size && extent->crlf_size <= 2 * extent->size);
}

static void check_part(const struct mime_part *part, size_t size)
{
	check_extent(&part->header, size);
	check_extent(&part->body, size);
	for (const struct mime_part *child = part->first_child; child != NULL; child = child->next)
		check_part(child, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct mime_message message;
	struct envelope envelope;
	struct buf out = BUF_INIT(16 << 20);
	struct span text = span_new(data, size);
	arena_init(&arena, 4 << 20);
	envelope_parse(text, &arena, &envelope);
	imap_write_envelope(&envelope, &out);
	if (mime_parse(text, &arena, &message)) {
		check_part(message.root, size);
		imap_write_bodystructure(message.root, true, &out);
		imap_write_bodystructure(message.root, false, &out);
	}
	CHECK(memchr(buf_cstr(&out), '\0', out.len) == NULL);
	arena_done(&arena);
	buf_done(&out);
	return 0;
}
