/* One message on its way into the journal: from its envelope to the commit. The first thing that
 * goes wrong is kept; what follows is ignored, and intake_finish says what it was.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_INTAKE_H
#define TAMBO_CLEANUP_INTAKE_H

#include "base/arena.h"
#include "cleanup/expand.h"
#include "cleanup/header.h"
#include "service/cleanup.h"

struct intake {
	struct arena arena; /* the texts of the envelope */
	char queue_id[QUEUE_ID_MAX];
	struct queue_envelope envelope;
	struct expansion expansion;
	struct content content;
	struct header_filter header;
	uint32_t flags, origin;    /* enum cleanup_flag, enum cleanup_origin */
	uint32_t hop_count;
	struct span tls_summary, received_for;
	int64_t submitter_uid;     /* maildrop: of who submitted; -1 otherwise */
	bool is_open;              /* from intake_open to intake_done */
	bool has_content;          /* Received: is written */
	bool pending_cr, ends_with_lf;
	bool queue_failed;         /* not the message's fault: the next one may fail as well */
	enum cleanup_status status;
	const char *code;          /* enhanced status, "" when OK */
	char text[256];
};

/* The queue id of the next message, and whether there is room for one. May yield. */
enum cleanup_status intake_prepare(char ret_queue_id[QUEUE_ID_MAX]);
/* Begins a message; always to be followed by intake_done. What open points to is copied.
 * full_name: for a From: to add. queue_id: of intake_prepare; NULL: a new one. May yield. */
void intake_open(struct intake *intake, const struct cleanup_open *open, struct span full_name,
	int64_t submitter_uid, const char *queue_id);
void intake_recipients(struct intake *intake, const struct cleanup_recipient *recipients,
	size_t count);
/* Content in pieces of any size, line ends CRLF or LF. */
void intake_write(struct intake *intake, struct span bytes);
/* Where the content may be put directly, or NULL: it must go by intake_write. May change with
 * each call here. intake_took takes bytes that stand at the end of that buffer. */
struct buf *intake_room(struct intake *intake);
void intake_took(struct intake *intake, struct span bytes);
/* Is no more than one message on its way in? For queue_writer_options. */
bool intake_is_alone(void *unused);
/* DURABLE: CLEANUP_OK means that the message is in the journal. May yield. */
enum cleanup_status intake_finish(struct intake *intake);
void intake_done(struct intake *intake);

#endif
