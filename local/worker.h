/* What the files of the worker share. A worker is one process of one uid, or, with its own rights,
 * one that runs that uid's commands.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_LOCAL_WORKER_H
#define TAMBO_LOCAL_WORKER_H

#include "ipc/channel.h"
#include "service/local.h"

/* worker.c: one connection from a front. peer: its service. */
void worker_serve(struct channel *channel_take, const char *peer);

/* The file system for which the front at the other end of a connection has a descriptor: its
 * number, and what a store on it says (on an overlay folders have another number than files). */
struct flushable {
	bool is_known;
	bool is_full; /* the answer under way has a descriptor, and cannot take another one */
	uint64_t device, store_device;
};

/* The answer under way; text and content live until it is sent. */
struct answer {
	struct local_done done;
	char dsn[12];
	struct buf text, content;
	struct flushable *flushable;
};

void answer_set(struct answer *answer, enum local_result result, const char *dsn,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* A failure of the system: deferred, with the code that fits the errno. */
void answer_error(struct answer *answer, int error, const char *what, struct span path);

/* Reads the message piece by piece, headers first. */
struct work_reader {
	const struct local_work *work;
	struct span headers, content; /* what is left of them */
	uint64_t offset, left;        /* of the descriptor */
	char *piece;
};
void work_reader_init(struct work_reader *reader, const struct local_work *work);
void work_reader_done(struct work_reader *reader);
/* The next piece, empty at the end; 0 or -errno. Blocks: for the thread pool, or with inline
 * content. */
int work_read(struct work_reader *reader, struct span *ret_piece);

void work_maildir(const struct local_work *work, struct answer *answer);
void work_mbox(const struct local_work *work, const char *delivered, struct answer *answer);
void work_command(const struct local_work *work, struct answer *answer);
/* True when a forward file was found (or cannot be read now): answer says what. */
bool work_forward(const struct local_work *work, struct answer *answer);
void work_include(const struct local_work *work, struct answer *answer);

#endif
