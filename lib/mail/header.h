/* The header of a message, field by field (RFC 5322 section 2.2). Lines end in CRLF or LF. Nothing
 * is copied and nothing fails: a line that is no field is handed out as such and the caller decides
 * (cleanup ends the header there; IMAP goes on to the empty line). Linear in the input.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_HEADER_H
#define TAMBO_MAIL_HEADER_H

#include "base/buf.h"

#define HEADER_NAME_MAX 998

struct header_field {
	struct span raw;   /* the field's lines with their line ends */
	struct span name;  /* without colon and the spaces before it; "" when valid is false */
	struct span value; /* what follows the colon, folded, without the last line end; not trimmed */
	bool valid;        /* name and colon are there; name is printable ASCII without space */
};

struct header_reader {
	struct span input;
	size_t offset; /* of the next line; after HEADER_END of the body */
};

enum header_result {
	HEADER_FIELD,
	HEADER_END,        /* the empty line was read: the body begins at reader->offset */
	HEADER_END_OF_INPUT, /* no empty line: the message is all header */
};

/* input: a message, or its beginning. */
void header_reader_init(struct header_reader *reader, struct span input);
/* *ret_field is written for HEADER_FIELD only. A line without a colon comes alone (valid false,
 * value is the line); so does a continuation line with nothing before it. */
enum header_result header_next(struct header_reader *reader, struct header_field *ret_field);
/* The next field of that name; the others are passed over faster than by header_next. */
enum header_result header_next_named(
	struct header_reader *reader, struct span name, struct header_field *ret_field);

/* Whether a line begins as a field does: a name of at most HEADER_NAME_MAX bytes and a colon. */
bool header_line_is_field(struct span line);

/* Where the body begins: the length of the header with its empty line. input.len when there is no
 * empty line. */
size_t header_length(struct span input);

/* The first field of that name (case does not matter); false when there is none. */
bool header_find(struct span input, struct span name, struct header_field *ret_field);

/* Appends the value unfolded: line ends are dropped, the white space after them stays (RFC 5322
 * section 2.2.3); white space at both ends is dropped. */
void header_unfold(struct span value, struct buf *out);
/* As header_unfold; a bare CR, LF or NUL left in it becomes a space, so that the result is one
 * line. */
void header_unfold_clean(struct span value, struct buf *out);

#endif
