/* What the files of the `local` room share. The front (runs as mail_owner) expands and decides; a
 * worker (the recipient's uid) touches files and runs commands.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_LOCAL_LOCAL_H
#define TAMBO_LOCAL_LOCAL_H

#include "account/account.h"
#include "base/arena.h"
#include "base/table.h"
#include "daemon/daemon.h"
#include "service/delivery.h"
#include "service/local.h"

#define LOCAL_DEPTH_MAX 20       /* aliases in aliases */
#define LOCAL_FORWARDS_MAX 50000 /* addresses that one recipient may become */

struct local_settings {
	const char *myhostname, *myorigin, *recipient_delimiter;
	const char *alias_maps, *default_privs, *forward_path, *luser_relay;
	const char *mailbox_command, *mailbox_command_maps, *command_shell;
	const char *mail_commands, *mail_files;  /* allow_mail_to_commands, allow_mail_to_files */
	const char *mailbox_lock, *virtual_lock;
	const char *maildir_sync, *prepend_delivered, *fallback_transport, *mailbox_transport;
	const char *command_filter;
	bool require_home, strict_ownership, biff;
	int64_t mailbox_size_limit, virtual_mailbox_limit;
	int64_t lock_attempts, lock_delay, stale_lock, command_time_limit, checkpoint_interval;
};

struct local_process {
	struct local_settings settings;
	struct map_list *aliases, *mailbox_commands;
	struct route *route;
	struct accounts *accounts;
	struct daemon_pool *cleanup;
	uid_t default_uid;   /* of default_privs */
	gid_t default_gid;
	bool has_default;
	struct buf spool;    /* mail_spool_directory without trailing '/' */
	gid_t spool_gid;     /* its group, with which mbox files are made there; 0: none */
};
extern struct local_process local;

/* settings.c: reads parameters, opens tables. */
int local_prepare(struct conf *conf);
/* front.c: one connection from qmgr. */
void local_serve(struct channel *channel_take, const char *peer);

/* --- what became of one destination --- */

struct outcome {
	enum delivery_status status;
	char dsn[12];
	struct buf text;
	bool is_set;
	uint64_t checkpoint;
};

/* --- one recipient (deliver.c) --- */

struct forward_address {
	struct span address, sender;
};

/* A destination and how it came about. */
struct target {
	struct span address;   /* final address: to= and Delivered-To */
	struct span user, extension; /* of its local part; extension without delimiter */
	struct span sender;    /* the message's, or owner-NAME of an alias on the way */
	struct span expanding; /* the alias whose expansion this is: not expanded once more */
	bool direct;           /* \user: no alias, no .forward */
	unsigned depth;
};

struct delivery {
	const struct delivery_request *request;
	const struct delivery_recipient *recipient;
	struct arena *arena;
	struct span header;      /* of the message, for loop detection */
	int64_t start_ms;
	bool is_virtual;
	struct forward_address *forwards;
	size_t forward_count, forward_room;
	struct table seen;       /* destinations already taken care of */
	bool has_written;        /* a worker was asked to put the message into a file */
	struct outcome outcome;  /* all together */
};

/* Delivers to all recipients, logs, fills outcomes in their order (spans live in arena). header:
 * the begin of the message. */
void deliver_all(const struct delivery_request *request, struct span header, struct arena *arena,
	struct delivery_outcome *outcomes);

/* The parts of it. Each takes note of what became of its destination. */
void deliver_to_targets(struct delivery *delivery, const struct target *from, struct span list,
	bool is_file, const struct account *owner);
void deliver_address(struct delivery *delivery, const struct target *from, struct span address);
/* Runs a command as owner (NULL: default_privs). */
void deliver_to_command(struct delivery *delivery, const struct target *target, struct span command,
	const struct account *owner);
/* Puts it on the list that is handed to cleanup when everything else went well. */
void deliver_forward(struct delivery *delivery, const struct target *from, struct span address);

/* Takes note of an end: logs the line for this destination and merges it into the whole. */
void delivery_end(struct delivery *delivery, const struct target *target,
	enum delivery_status status, const char *dsn, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* The same for what a worker said. */
void delivery_end_done(struct delivery *delivery, const struct target *target,
	const struct local_done *done);

/* What a worker must know to put the message into a file. */
void delivery_fill_mailbox(struct delivery *delivery, const struct target *target,
	struct local_work *work);
/* There is no worker, or none that answers. */
void delivery_end_unasked(struct delivery *delivery, const struct target *target, uid_t uid,
	int error);

/* Has this message been delivered to the target before (Delivered-To:)? Then it is ended. */
bool delivery_is_looping(struct delivery *delivery, const struct target *target);

/* --- workers (workers.c) --- */

/* One exchange with the worker of a uid. *ret_done lives in *ret_channel, which is to be given back
 * with worker_give (or freed on an error). 0 or -errno. */
struct worker_key {
	uid_t uid;
	gid_t gid;
	bool command;     /* one that may run commands */
	struct span tree; /* as in struct daemon_worker; outlives the work */
};
int worker_call(const struct worker_key *key, const struct local_work *work,
	struct channel **ret_channel, struct local_done **ret_done);
/* The same for a batch, asked once: -EPIPE when the worker has ended meanwhile, and nobody knows
 * what it has done. *ret_done has an outcome for each item. */
int worker_call_batch(const struct worker_key *key, const struct local_batch *batch,
	struct channel **ret_channel, struct local_batch_done **ret_done);
void worker_give(const struct worker_key *key, struct channel *channel_take);
/* Closes channels that were not used for a while. */
void workers_trim(void);

/* --- virtual mailboxes (virtual.c) --- */

/* Recipients of one request, in their order, whose mailboxes one worker writes: it is asked for all
 * of them at once. */
struct virtual_batch {
	struct virtual_item *items;
	size_t count, bytes;
	size_t max; /* 1 to LOCAL_BATCH_MAX; the others are zero at first */
	struct worker_key key;
};
/* Ends the delivery now, or puts it into the batch (delivery and target outlive it). */
void virtual_deliver(struct virtual_batch *batch, struct delivery *delivery,
	const struct target *target);
/* Ends all that are in the batch. */
void virtual_flush(struct virtual_batch *batch);

/* forward.c: hands delivery->forwards to cleanup and ends them. */
void forward_all(struct delivery *delivery, const struct target *target);

/* forwarded.c: what cleanup already has, for a recipient that is tried again. */
struct cleanup_recipient;
bool forwarded_before(const struct delivery *delivery, const struct forward_address *forward);
void forwarded_note(const struct delivery *delivery, struct span sender,
	const struct cleanup_recipient *recipients, size_t count);
/* The recipient is finished. */
void forwarded_forget(const struct delivery *delivery);

/* --- checkpoints (checkpoint.c) --- */

/* The serial that will cover a message just written on this file system; 0 when it could not be
 * arranged (then the delivery counts as failed). Takes flush_fd. */
uint64_t checkpoint_take(uint64_t device, int flush_fd_take);
/* qmgr listens on this channel. Returns when it ends. */
/* Waits for the round that covers the serial; false: it failed, or takes too long. */
bool checkpoint_await(uint64_t serial);
void checkpoint_serve(struct channel *channel);
void checkpoint_start(void);
void checkpoint_stop(void); /* wakes those that wait */

#endif
