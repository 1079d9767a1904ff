/* Recipients that are virtual mailboxes. Those of one request whose Maildirs belong to one worker
 * are handed to it together: the message travels once, and one answer has an outcome for each. When
 * the worker dies over a batch, its recipients are handed out again one by one, so that only the
 * one whose mailbox is to blame fails; what has been written is recognised.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"
#include "local/local.h"

struct virtual_item {
	struct delivery *delivery;
	const struct target *target;
	struct account account;
	struct local_work work;
};

/* Alone, an mbox file too. first: no attempt has been made. */
static void deliver_alone(const struct worker_key *key, struct virtual_item *item, bool first)
{
	struct local_done *done;
	struct channel *channel;
	if (!first)
		item->work.first_ms = 0;
	int error = worker_call(key, &item->work, &channel, &done);
	if (error != 0) {
		delivery_end_unasked(item->delivery, item->target, key->uid, error);
		return;
	}
	delivery_end_done(item->delivery, item->target, done);
	worker_give(key, channel);
}

static void take_outcomes(const struct virtual_batch *batch, const struct local_batch_done *done)
{
	/* What was written is on file systems that the front can flush: it keeps this descriptor. */
	if (done->flush_fd >= 0)
		(void)checkpoint_take(done->flush_device, done->flush_fd);
	for (size_t i = 0; i < batch->count; i++) {
		const struct local_batch_outcome *outcome = &done->outcomes[i];
		const struct local_done one = {.result = outcome->result, .dsn = outcome->dsn,
			.text = outcome->text, .content = SPAN_EMPTY,
			.is_durable = outcome->is_durable, .device = outcome->device, .flush_fd = -1};
		delivery_end_done(batch->items[i].delivery, batch->items[i].target, &one);
	}
}

static int ask_for_all(const struct virtual_batch *batch)
{
	const struct local_work *common = &batch->items[0].work;
	struct local_batch_item items[LOCAL_BATCH_MAX];
	struct local_batch_done *done;
	struct channel *channel;
	for (size_t i = 0; i < batch->count; i++) {
		const struct local_work *work = &batch->items[i].work;
		items[i] = (struct local_batch_item){work->headers, work->path, work->base};
	}
	const struct local_batch asked = {.first_ms = common->first_ms,
		.flush_file = common->flush_file, .size_limit = common->size_limit, .items = items,
		.item_count = batch->count, .content = common->content,
		.content_fd = common->content_fd, .content_offset = common->content_offset,
		.size = common->size};
	int error = worker_call_batch(&batch->key, &asked, &channel, &done);
	if (error == 0) {
		take_outcomes(batch, done);
		worker_give(&batch->key, channel);
	}
	return error;
}

void virtual_flush(struct virtual_batch *batch)
{
	int error = batch->count > 1 ? ask_for_all(batch) : 0;
	/* Nobody was asked: there is one only, or one that is too long for a batch. */
	bool first = batch->count < 2 || error == -EMSGSIZE;
	for (size_t i = 0; i < batch->count; i++) {
		struct virtual_item *item = &batch->items[i];
		if (first || error == -EPIPE)
			deliver_alone(&batch->key, item, first);
		else if (error != 0)
			delivery_end_unasked(item->delivery, item->target, batch->key.uid, error);
	}
	for (size_t i = 0; i < batch->count; i++)
		account_done(&batch->items[i].account);
	free(batch->items);
	*batch = (struct virtual_batch){.max = batch->max};
}

static size_t bytes_of(const struct local_work *work)
{
	return work->headers.len + work->path.len + work->base.len;
}

static bool fits(const struct virtual_batch *batch, const struct worker_key *key,
	const struct local_work *work)
{
	const struct worker_key *other = &batch->key;
	return work->maildir && batch->items[0].work.maildir && batch->count < batch->max
		&& batch->bytes + bytes_of(work) <= LOCAL_BATCH_BYTES_MAX
		&& key->uid == other->uid && key->gid == other->gid
		&& span_equal(key->tree, other->tree);
}

static void add(struct virtual_batch *batch, const struct worker_key *key,
	struct virtual_item *item_take)
{
	if (batch->count > 0 && !fits(batch, key, &item_take->work))
		virtual_flush(batch);
	if (batch->count == 0) {
		batch->items = memory_alloc(batch->max * sizeof(*batch->items));
		batch->key = *key;
		batch->bytes = item_take->work.content.len;
	}
	batch->bytes += bytes_of(&item_take->work);
	batch->items[batch->count++] = *item_take;
}

static void find_account(struct delivery *delivery, const struct target *target,
	struct account *account, enum account_status *ret_status)
{
	*ret_status = account_by_virtual_address(local.accounts, target->address, account);
	if (*ret_status == ACCOUNT_NOT_FOUND)
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.1.1", "unknown user: \"%.*s\"",
			SPAN_ARGS(target->address));
	else if (*ret_status != ACCOUNT_FOUND)
		delivery_end(delivery, target, DELIVERY_DEFERRED,
			*ret_status == ACCOUNT_TEMPORARY ? "4.3.0" : "4.3.5", "%s",
			buf_cstr(&account->problem));
}

void virtual_deliver(struct virtual_batch *batch, struct delivery *delivery,
	const struct target *target)
{
	struct virtual_item item = {.delivery = delivery, .target = target,
		.work = {.kind = LOCAL_WORK_MAILBOX, .content_fd = -1}};
	enum account_status status;
	if (delivery_is_looping(delivery, target))
		return;
	account_init(&item.account);
	find_account(delivery, target, &item.account, &status);
	if (status != ACCOUNT_FOUND) {
		account_done(&item.account);
		return;
	}
	delivery_fill_mailbox(delivery, target, &item.work);
	item.work.path = buf_span(&item.account.mailbox);
	item.work.maildir = item.account.maildir;
	struct worker_key key = {.uid = item.account.uid, .gid = item.account.gid,
		.tree = account_tree(local.accounts, &item.account)};
	add(batch, &key, &item);
}
