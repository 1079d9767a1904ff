/* The MIME structure of a message (RFC 2045, 2046) as a tree of parts with offsets and sizes. One
 * pass over the bytes, linear whatever they are; depth and number of parts are bounded: what is
 * nested deeper, or comes behind the last part allowed, is left as the opaque content of its
 * parent. Lines may end in LF or CRLF; sizes are given both as stored and as sent (every line end
 * CRLF).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_MIME_H
#define TAMBO_MAIL_MIME_H

#include "mail/envelope.h"
#include "mail/mime_parameter.h"
#include "mail/transfer.h"

#define MIME_DEPTH_MAX 100
#define MIME_PARTS_MAX 10000

enum mime_kind {
	MIME_SINGLE,
	MIME_MULTIPART, /* its children are the parts; may have none */
	MIME_MESSAGE,   /* message/rfc822: its one child is the message inside */
};

/* Where something stands: as stored, and as sent with CRLF line ends. Offsets count from the
 * message's beginning. */
struct mime_extent {
	uint64_t offset, size;
	uint64_t crlf_offset, crlf_size;
	uint32_t lines; /* line ends in it */
};

struct mime_part {
	struct mime_part *parent, *first_child, *last_child, *next;
	uint32_t child_count;
	enum mime_kind kind;
	struct mime_extent header; /* with the empty line behind it */
	struct mime_extent body;   /* without the line end that belongs to the boundary */
	struct span type, subtype; /* lower case: "text", "plain" */
	struct mime_value content_type; /* its parameters */
	bool has_disposition;
	struct mime_value disposition;  /* token and parameters */
	enum transfer_encoding encoding;
	struct span encoding_text; /* as written; "7BIT" when absent */
	/* ptr NULL when absent */
	struct span id, description, md5, location;
	struct span *languages;
	size_t language_count;
	struct envelope *envelope; /* of the message inside: MIME_MESSAGE only */
};

struct mime_message {
	struct mime_part *root;
	uint32_t part_count;
	bool has_mime_version;
	bool truncated; /* a limit was met (depth, parts, the arena's cap) */
	uint64_t crlf_size; /* of the whole message as sent (RFC822.SIZE) */
	uint32_t lines;
};

/* The tree lives in the arena and does not point into message. Returns false only when the arena's
 * cap leaves no room for the root part. */
bool mime_parse(struct span message, struct arena *arena, struct mime_message *ret_message);

/* The message's bytes of an extent. */
static inline struct span mime_extent_span(struct span message, const struct mime_extent *extent)
{
	return span_part(message, (size_t)extent->offset, (size_t)extent->size);
}

/* True when the part is meant to be seen as an attachment: disposition attachment, or a file name
 * on something that is not inline text. */
bool mime_part_is_attachment(const struct mime_part *part);

#endif
