/* What the files of this room share: the state of the queue in this process, and who does what.
 *
 * A message's way: incoming or deferred (waiting) -> active (its recipients are read in windows and
 * put into the schedule) -> finished: done, or deferred again, or waiting for checkpoints.
 * INVARIANT: an outcome that ends a recipient's way is committed to the ledger before the state
 * here says so. A deferral needs no commit: losing it means trying again.
 *
 * An entry that was deleted while deliveries are under way stays in the index, marked ENTRY_DEAD,
 * until they end.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QMGR_QMGR_H
#define TAMBO_QMGR_QMGR_H

#include "conf/conf.h"
#include "ipc/channel.h"
#include "qmgr/due.h"
#include "qmgr/schedule.h"
#include "qmgr/settings.h"
#include "queue/index.h"
#include "queue/late.h"
#include "route/route.h"
#include "service/delivery.h"
#include "service/qmgr.h"
#include "task/task.h"

/* The way to other processes; tests put their own here. */
struct qmgr_peers {
	struct channel *(*take)(const char *service, task_time deadline);
	void (*give)(const char *service, struct channel *channel_take);
	struct channel *(*connect)(const char *service, task_time deadline);
	void (*work_begin)(void);
	void (*work_end)(void);
	void (*release)(void); /* a successor may begin */
};

struct qmgr {
	struct conf *conf;
	struct qmgr_settings settings;
	struct qmgr_peers peers;
	struct route *route;
	struct queue_reader *reader;
	struct ledger *ledger;
	struct queue_index index;
	size_t damaged_kept; /* of index.damaged: in corrupt/ */
	uint8_t boot[16];
	struct schedule schedule;
	struct list_node incoming;  /* struct queue_entry, by link: new, in order of arrival */
	struct due_heap deferred;   /* by next_try_ms */
	struct list_node active;    /* struct message, by link */
	struct list_node feeding;   /* struct message that have recipients to read, by feed_link */
	size_t active_count, recipients_in_memory;
	struct task_event feed;     /* something to read, or room to read it into */
	struct task_event wake;     /* the schedule may have something */
	struct task_event housekeeping;
	struct task_event finishing;
	struct list_node finished;  /* struct message whose pass is over, by link */
	bool stopping;
	struct list_node deliveries; /* struct delivery, by link: under way */
	unsigned ledger_users;       /* tasks in the middle of something that goes to the ledger */
};
extern struct qmgr qmgr;

/* A message in the active queue. */
struct message {
	struct queue_entry *entry;
	struct schedule_message schedule;
	struct list_node link, feed_link;
	struct queue_cursor cursor;
	bool all_read;      /* the cursor is at the end */
	bool read_failed;   /* the record could not be read: the rest waits */
	bool ended;         /* given to the finishers */
	bool retry_soon;    /* not the site's fault: try again in seconds */
	bool is_first;      /* no pass was before this one, of no process */
	uint32_t in_flight; /* deliveries and resolutions under way */
	uint32_t crashes;   /* agents that died over it in this pass */
	int64_t active_ms;  /* wall clock */
	uint32_t resolved;  /* recipients read in this pass, to yield now and then */
};

/* Wall clock, UTC milliseconds. */
int64_t wall_now(void);
extern int64_t wall_offset; /* added: for tests */

/* start.c: rebuilds the state from disk; starts the tasks. 0 or -errno. */
int qmgr_open(struct conf *conf, char **ret_error);
void qmgr_start(void);
void qmgr_stop(void);
/* For tests: frees the state, after all tasks have ended. */
void qmgr_close(void);

/* waiting.c: messages that are not active */
void waiting_add(struct queue_entry *entry);    /* new, or due at next_try_ms */
void waiting_remove(struct queue_entry *entry); /* from wherever it waits */
/* Now, before others of its kind. Nothing for a message that is active: it must not be twice. */
void waiting_retry(struct queue_entry *entry);
bool waiting_next(struct queue_entry **ret_entry); /* takes the next that is due */

/* active.c: from waiting to active, windows of recipients */
void active_run(void *unused);                  /* the task */
void active_check(struct message *message);     /* its pass may be over */
void active_abandon(struct message *message);   /* nothing more is to be delivered in this pass */
void active_free(struct message *message);

/* deliver.c */
struct delivery {
	struct list_node link; /* of qmgr.deliveries */
	struct batch batch;
	struct message *message;
	enum site_result site;
	struct buf site_dsn, site_text; /* of SITE_FAILED */
};
void deliver_run(void *unused);                 /* the task that starts deliveries */
void deliver_kick(void);                        /* begins what may begin now */

/* outcome.c: to the ledger (without waiting; commit before state_... below), and to the state */
struct outcome {
	uint32_t index;
	enum recipient_state state;
	struct span dsn, text, remote_mta, diagnostic;
	bool returned; /* DONE because the report is queued, not because it was delivered */
};
/* Ledger entries for the outcomes of one message, commits when one of them is no deferral, then
 * sets the state. While the ledger cannot be written it tries again and again: what was delivered
 * must not be forgotten. Yields. */
void outcome_record(struct queue_entry *entry, const struct outcome *outcomes, size_t count);
/* The same for count neighbours beginning with outcome->index. */
void outcome_record_run(struct queue_entry *entry, const struct outcome *outcome, uint32_t count);
/* The same without waiting: for what may be forgotten, because a restart finds it out again. */
void outcome_assume(struct queue_entry *entry, const struct outcome *outcome, uint32_t count);
/* An entry about the message itself; committed later, or with the next outcome. */
void outcome_note(struct queue_entry *entry, enum ledger_kind kind, int64_t time_ms,
	uint64_t value);
/* Defers (or bounces, or discards) a whole batch without an agent, logs each; frees the batch. */
void outcome_without_agent(struct batch *batch, enum recipient_state state, const char *dsn,
	const char *text);

/* finish.c: what becomes of a message at the end of its pass */
void finish_run(void *unused);                  /* one of the tasks that end passes */
void finish_done(struct queue_entry *entry);    /* nothing left: LEDGER_DONE, "removed", forgets */
void finish_if_done(struct queue_entry *entry); /* after a checkpoint */
void finish_later(struct queue_entry *entry);   /* another try, later; it has no owner */
uint32_t entry_left(const struct queue_entry *entry); /* pending and deferred recipients */

/* bounce.c: reports. True: queued durably, or none is due. Wait. */
bool bounce_failed(struct queue_entry *entry);
bool bounce_delayed(struct queue_entry *entry);
/* Puts what is left of a message into corrupt/, durably. Logs. */
bool corrupt_keep(const struct queue_entry *entry);
/* Puts those places of the journal into corrupt/ that the index met and that are not there yet.
 * Logs. May wait for the disk. */
void corrupt_keep_places(void);
/* The record cannot be read any more and is too old: tells the postmaster; the sender, when not
 * even the recipients can be read. True: told, or nobody is to be told. */
bool bounce_corrupt_postmaster(struct queue_entry *entry);
bool bounce_corrupt_sender(struct queue_entry *entry);
/* Nobody (more) is told: the failed recipients are done. Logs why. */
bool bounce_drop(struct queue_entry *entry, const char *why);
void bounce_success(struct queue_entry *entry, const struct batch *batch,
	const struct delivery_reply *reply);

/* checkpoint.c: delivered, not yet durable. Redelivered when the agent's channel ends before. */
void checkpoint_wait(const char *service, uint64_t serial, struct queue_entry *entry,
	uint32_t recipient);

void checkpoint_close(void);

/* The ledger's commit, counted among its users; -ESHUTDOWN when the successor has it. Yields. */
int qmgr_commit(void);

/* handover.c: the end of this process. Afterwards qmgr.ledger is NULL. */
void handover_begin(void);
/* An outcome of recipients that are AWAY, to the successor; and on disk. */
void handover_outcome(const struct queue_entry *entry, const struct ledger_entry *said);
void handover_commit(void);
void handover_close(void);

/* late.c: what predecessors are still delivering. late_prepare: before the walls close; 0 or
 * -errno. A file that cannot be read is set aside. */
extern int64_t late_again_ms; /* a test changes it */
int late_prepare(void);
void late_start(void);

/* settle.c: what a predecessor left as written. settle_prepare: before the walls close. */
void settle_prepare(void);
void settle_run(void); /* yields */

/* housekeeping.c */
void housekeeping_close(void);
extern int64_t housekeeping_compact_every_ms; /* for tests */
extern uint64_t housekeeping_compact_min;
void housekeeping_run(void *unused);
void housekeeping_release(struct queue_entry *entry); /* its record is dead; large files go */

/* intake.c: scans a segment from its known end up to the record that ends at until (0: all). */
int intake_scan(uint64_t segment, uint64_t until);
void intake_serve(struct channel *channel);

/* session.c: one client of public/qmgr or public/showq */
void session_serve(int fd_take);

/* command.c. privileged: may change messages, not only hurry them. 0 or -errno. Yields. */
int command_run(const struct queue_command *command, bool privileged, uint64_t *ret_count);
/* "active", "deferred", "hold", "incoming" */
const char *entry_queue_name(const struct queue_entry *entry);

/* listing.c: queue_item for each message (or the one), in the order of queues and arrival. 0 or
 * -errno of the channel. Yields. */
int listing_send(struct channel *channel, struct span queue_id, uint64_t *ret_count);

/* peers.c: tasks that wait for a peer and are to end when the process stops. */
struct peer_task {
	struct list_node link;
	struct task *task;
};
void peer_task_begin(struct peer_task *peer_task);
void peer_task_end(struct peer_task *peer_task);
void peer_task_cancel_all(void);

#endif
