/* The framing of message content (RFC 5321 section 4.1.1.4 and 4.5.2, RFC 3030): ends DATA at
 * CRLF.CRLF and nowhere else, takes leading dots away, and makes line ends uniform, so that nobody
 * behind us can see an end of message that we did not see. Streaming: any cut of the input gives
 * the same output. The output has LF line ends; a CR that does not belong to a line end becomes a
 * space, a NUL is dropped; a line may be of any length.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_DATA_H
#define TAMBO_SMTP_DATA_H

#include "base/buf.h"

/* smtpd_forbid_bare_newline */
enum smtp_newline {
	SMTP_NEWLINE_NORMALIZE, /* LF alone ends a line; "." between such lines does not end DATA */
	SMTP_NEWLINE_ALLOW,     /* LF alone is as good as CRLF, also around the dot */
	SMTP_NEWLINE_REJECT,    /* the first LF alone is an error */
};

enum smtp_data_result {
	SMTP_DATA_MORE,    /* all input is used */
	SMTP_DATA_END,     /* the end of DATA was seen; *ret_used says where */
	SMTP_DATA_BARE_LF, /* SMTP_NEWLINE_REJECT and there was one */
};

struct smtp_data {
	enum smtp_newline newline;
	bool dots;        /* DATA; false: BDAT, where the caller counts */
	bool bare_lf;     /* one was seen */
	uint64_t size;    /* of what was put out, line ends counted as CRLF */
	/* private */
	uint8_t state;
	bool last_bare;   /* the last line ended in LF alone */
	bool ended_line;  /* the output is at the beginning of a line */
	uint32_t carriage_returns; /* seen, not yet decided upon */
};

void smtp_data_init(struct smtp_data *data, enum smtp_newline newline, bool dots);
/* Appends what input holds to out (at most input.len + carriage returns held back bytes). */
enum smtp_data_result smtp_data_decode(struct smtp_data *data, struct span input, struct buf *out,
	size_t *ret_used);
/* The end of the last BDAT chunk: completes the last line. */
void smtp_data_finish(struct smtp_data *data, struct buf *out);

#endif
