/* Framing of IMAP commands (RFC 3501 2.2.1, 4.3; RFC 7888): a command is a line, and each line that
 * ends in {n} or {n+} is followed by n literal bytes and a further line. The frame collects one
 * command, literals in place, without the last CRLF; the parser (imap/parser.h) reads it from
 * there. Bounded by line_max, literal_max and total; nothing is interpreted here.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_FRAME_H
#define TAMBO_IMAP_FRAME_H

#include "base/buf.h"

enum imap_frame_result {
	IMAP_FRAME_MORE,    /* all input was used, the command goes on */
	IMAP_FRAME_LITERAL, /* a literal was announced: accept, take or refuse it, then feed again
			     */
	IMAP_FRAME_OK,	    /* bytes holds one command */
	IMAP_FRAME_BAD, /* NUL or bare CR; the bad line was used up to its LF */
	IMAP_FRAME_TOO_LONG, /* a limit was passed; skip to the LF with imap_frame_skip_line */
};

#define IMAP_FRAME_TAIL 64 /* of a line that is dropped: enough for "{n+}" */

struct imap_frame_limits {
	size_t line_max;    /* of one line without literals */
	size_t literal_max; /* of one literal */
	size_t literal_count;
	size_t total_max; /* of everything */
};

extern const struct imap_frame_limits imap_frame_before_login, imap_frame_after_login;

struct imap_frame {
	struct imap_frame_limits limits;
	struct buf bytes;
	uint64_t literal_size; /* of the literal that was announced last; UINT64_MAX: beyond 32 bits */
	bool literal_sync;     /* the client waits for a continuation */
	bool literal_too_big;  /* above literal_max, or of a bad line: take or refuse it */
	/* private */
	size_t line_start, literal_left, literal_seen;
	bool waiting;  /* a literal was announced and neither accepted nor taken */
	bool skipping; /* dropping the rest of a line */
	bool nul_seen;
	char tail[IMAP_FRAME_TAIL]; /* the last bytes of what is being dropped */
	size_t tail_len;
};

void imap_frame_init(struct imap_frame *frame, const struct imap_frame_limits *limits);
void imap_frame_done(struct imap_frame *frame);
/* For the next command: forgets the last one and gives its memory back. A line that is being
 * skipped is still skipped. */
void imap_frame_reset(struct imap_frame *frame);
/* True when no byte of a command has been seen. */
bool imap_frame_is_empty(const struct imap_frame *frame);

/* Uses input up to the end of a line or literal; *ret_used says how much. */
enum imap_frame_result imap_frame_feed(
	struct imap_frame *frame, struct span input, size_t *ret_used);

/* After LITERAL: its bytes are to be collected into the frame (not when literal_too_big). */
void imap_frame_accept_literal(struct imap_frame *frame);
/* After LITERAL: the caller itself reads the literal_size bytes from the connection; the frame
 * goes on behind them. In bytes the literal is then empty behind its announcement. */
void imap_frame_take_literal(struct imap_frame *frame);
/* After TOO_LONG or a refused literal: the next feeds drop everything up to and including the next
 * LF, then answer BAD. What is dropped may announce a literal that comes unasked: that is LITERAL
 * (too big) as ever, and this is to be called again behind it. Call it before bytes is reset. */
void imap_frame_skip_line(struct imap_frame *frame);

#endif
