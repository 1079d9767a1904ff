/* Between the front of `local` and its per-uid workers: one LOCAL_WORK, one LOCAL_DONE, then the
 * channel is free for the next. The worker runs as the uid that owns what is written, read or run.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_LOCAL_H
#define TAMBO_SERVICE_LOCAL_H

#include "ipc/message.h"

enum local_work_kind {
	LOCAL_WORK_MAILBOX, /* forward files first (the first that exists decides), else Maildir or
			       mbox */
	LOCAL_WORK_FILE,    /* append to /file, or deliver to /folder/ */
	LOCAL_WORK_READ,    /* the content of an :include: file */
	LOCAL_WORK_COMMAND, /* to a worker that may run commands */
};

enum local_lock { LOCAL_LOCK_FCNTL = 1, LOCAL_LOCK_FLOCK = 2, LOCAL_LOCK_DOTLOCK = 4 };

struct local_path {
	struct span path;
};

struct local_variable {
	struct span name, value;
};

struct local_work {
	uint32_t kind;
	struct span queue_id;
	struct span sender;       /* of the mbox From_ line */
	struct span headers;      /* put before the content; LF line ends */
	struct span path;         /* mailbox, /file or file to read; no trailing '/' */
	bool maildir;
	struct span base;         /* begin of the Maildir file name */
	int64_t first_ms;         /* this is the first attempt to put it there, begun at that time
				     (wall clock); 0: others may have been before */
	bool flush_file;          /* maildir_sync = file */
	uint64_t size_limit;      /* largest Maildir or mbox file; 0: none */
	struct span home; /* forward files are looked for only below a home that can be reached */
	bool require_home;
	bool must_own;            /* deliver only into an mbox of the recipient's (not a /file) */
	struct local_path *forward_paths;
	size_t forward_path_count;
	uint32_t locks;           /* enum local_lock */
	uint32_t lock_attempts;
	int64_t lock_delay_ms, stale_lock_ms;
	struct span command;
	struct span shell;        /* "" : /bin/sh where one is needed */
	struct span directory;    /* where the command runs; "/" when it cannot be entered */
	int64_t time_limit_ms;
	struct local_variable *variables; /* of the command's environment */
	size_t variable_count;
	struct span content;      /* as delivery_request */
	int content_fd;
	uint64_t content_offset, size;
};

enum local_result {
	LOCAL_DELIVERED,
	LOCAL_FORWARD,   /* content is what the forward file says; nothing was delivered */
	LOCAL_READ,      /* content is the file */
	LOCAL_DEFERRED,
	LOCAL_BOUNCED,
};

struct local_done {
	uint32_t result;  /* enum local_result */
	struct span dsn;
	struct span text; /* "delivered to maildir", or what went wrong */
	struct span content;
	bool is_durable;  /* otherwise syncfs(flush_fd) makes it so */
	uint64_t device;  /* which file system */
	int flush_fd;     /* of an empty file there, opened before the message was written; -1: none,
			     or sent before on this channel */
};

/* One message into the Maildirs of several people, whose worker is the same. What it has in common
 * with local_work means the same here. */
struct local_batch_item {
	struct span headers, path, base;
};

struct local_batch {
	int64_t first_ms;
	bool flush_file;
	uint64_t size_limit;
	struct local_batch_item *items;
	size_t item_count;
	struct span content;
	int content_fd;
	uint64_t content_offset, size;
};

struct local_batch_outcome {
	uint32_t result;
	struct span dsn, text;
	bool is_durable;
	uint64_t device;
};

/* One outcome for each item, in their order; none says anything about another. */
struct local_batch_done {
	struct local_batch_outcome *outcomes;
	size_t outcome_count;
	uint64_t flush_device; /* where flush_fd is */
	int flush_fd;          /* as local_done */
};

#define LOCAL_BATCH_MAX 100
#define LOCAL_BATCH_BYTES_MAX (512 * 1024) /* of all items and the content */
#define LOCAL_HEADERS_MAX 16384
#define LOCAL_PATHS_MAX 20
#define LOCAL_VARIABLES_MAX 64
#define LOCAL_READ_MAX (256 * 1024)

extern const struct message_type local_work_type, local_done_type, local_batch_type,
	local_batch_done_type;

#endif
