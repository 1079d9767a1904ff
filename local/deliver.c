/* The recipients of a request: alias, .forward, mailbox in the order of local(8); virtual mailboxes
 * (virtual.c). Addresses found on the way are handed to cleanup at the end, and only when nothing
 * has to be tried again, so that a second attempt does not forward twice. Maildir deliveries
 * recognise a second attempt themselves.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/memory.h"
#include "local/header.h"
#include "local/local.h"
#include "local/template.h"
#include "map/map.h"
#include "route/address_lookup.h"
#include "service/delivery_log.h"
#include "store/filename.h"
#include "sys/clock.h"

/* --- targets --- */

static struct target make_target(struct span address, struct span sender)
{
	struct target target = {.address = address, .sender = sender, .expanding = SPAN_EMPTY,
		.extension = SPAN_EMPTY};
	size_t at = span_find_last_char(address, '@');
	target.user = at == SIZE_MAX ? address : span_head(address, at);
	size_t start = address_extension_start(target.user,
		span_from_cstr(local.settings.recipient_delimiter));
	if (start != SIZE_MAX) {
		target.extension = span_skip(target.user, start + 1);
		target.user = span_head(target.user, start);
	}
	return target;
}

static struct span local_part(const struct target *target)
{
	size_t at = span_find_last_char(target->address, '@');
	return at == SIZE_MAX ? target->address : span_head(target->address, at);
}

static struct span lower(struct delivery *delivery, struct span text)
{
	struct span copy = arena_dup(delivery->arena, text);
	char *at = arena_dup_cstr(delivery->arena, copy);
	if (at == NULL)
		return copy;
	for (size_t i = 0; i < copy.len; i++)
		at[i] = ascii_lower(at[i]);
	return span_new(at, copy.len);
}

/* First visit of kind + name? Remembers it. */
static bool first_visit(struct delivery *delivery, const char *kind, struct span name)
{
	struct buf key = BUF_INIT(4096);
	struct span folded = lower(delivery, name);
	buf_append_cstr(&key, kind);
	buf_append(&key, folded);
	bool first = table_get(&delivery->seen, buf_span(&key)) == NULL;
	if (first)
		(void)table_put(&delivery->seen, buf_span(&key), delivery);
	buf_done(&key);
	return first;
}

static void deliver_to_user(struct delivery *delivery, const struct target *target);

void deliver_address(struct delivery *delivery, const struct target *from, struct span address)
{
	struct span full = address;
	if (span_find_last_char(address, '@') == SIZE_MAX) {
		struct buf completed = BUF_INIT(4096);
		buf_append(&completed, address);
		buf_append_char(&completed, '@');
		buf_append_cstr(&completed, local.settings.myorigin);
		full = arena_dup(delivery->arena, buf_span(&completed));
		buf_done(&completed);
	}
	struct span domain = span_skip(full, span_find_last_char(full, '@') + 1);
	enum map_result result = route_domain_is_local(local.route, domain);
	if (result == MAP_ERROR) {
		delivery_end(delivery, from, DELIVERY_DEFERRED, "4.3.0", "domain lookup failure for %.*s",
			SPAN_ARGS(domain));
		return;
	}
	if (result == MAP_NOT_FOUND) {
		deliver_forward(delivery, from, full);
		return;
	}
	struct target target = make_target(full, from->sender);
	target.expanding = from->expanding;
	target.depth = from->depth + 1;
	/* A user in the own .forward file means the mailbox. */
	target.direct = from->direct && span_equal_nocase(target.user, from->user);
	deliver_to_user(delivery, &target);
}

/* --- aliases --- */

/* The owner- alias of a list is where its bounces go. */
static bool find_owner(struct delivery *delivery, struct target *target, struct span name)
{
	struct buf key = BUF_INIT(1024), value = BUF_INIT(65536), sender = BUF_INIT(4096);
	if (span_starts_with_nocase(name, SPAN("owner-")))
		return true;
	buf_append_cstr(&key, "owner-");
	buf_append(&key, name);
	enum map_result result = map_list_lookup(local.aliases, buf_span(&key), &value);
	if (result == MAP_FOUND) {
		buf_append(&sender, buf_span(&key));
		buf_append_char(&sender, '@');
		buf_append_cstr(&sender, local.settings.myorigin);
		target->sender = arena_dup(delivery->arena, buf_span(&sender));
	}
	buf_done(&key);
	buf_done(&value);
	buf_done(&sender);
	return result != MAP_ERROR;
}

static void expand_alias(struct delivery *delivery, const struct target *target, struct span name,
	struct span value)
{
	struct target inside = *target;
	if (!first_visit(delivery, "alias ", name)) {
		/* Done before; a name that is still being expanded comes round without end. */
		if (!first_visit(delivery, "done ", name))
			return;
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.4.6", "alias database loop for %.*s",
			SPAN_ARGS(name));
		return;
	}
	inside.expanding = lower(delivery, name);
	inside.direct = false;
	if (!find_owner(delivery, &inside, name)) {
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0", "alias database unavailable");
		return;
	}
	bool before = delivery->outcome.is_set || delivery->forward_count > 0;
	deliver_to_targets(delivery, &inside, arena_dup(delivery->arena, value), false, NULL);
	if (!before && !delivery->outcome.is_set && delivery->forward_count == 0)
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.3.5", "alias %.*s leads nowhere",
			SPAN_ARGS(name));
	(void)first_visit(delivery, "done ", name);
}

enum alias_found { ALIAS_NONE, ALIAS_HANDLED };

static enum alias_found try_alias(struct delivery *delivery, const struct target *target,
	struct span name)
{
	/* A name in its own expansion is the mailbox of that name. */
	if (span_equal_nocase(name, target->expanding))
		return ALIAS_NONE;
	struct buf value = BUF_INIT(1UL << 20);
	enum map_result result = map_list_lookup(local.aliases, name, &value);
	if (result == MAP_ERROR)
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0", "alias database unavailable");
	else if (result == MAP_FOUND)
		expand_alias(delivery, target, name, buf_span(&value));
	buf_done(&value);
	return result == MAP_NOT_FOUND ? ALIAS_NONE : ALIAS_HANDLED;
}

/* --- mailboxes --- */

static uint32_t parse_locks(const char *value)
{
	uint32_t locks = 0;
	struct span rest = span_from_cstr(value), word;
	while (span_token(&rest, ", \t", &word)) {
		if (span_equal(word, SPAN("fcntl")))
			locks |= LOCAL_LOCK_FCNTL;
		else if (span_equal(word, SPAN("flock")))
			locks |= LOCAL_LOCK_FLOCK;
		else if (span_equal(word, SPAN("dotlock")))
			locks |= LOCAL_LOCK_DOTLOCK;
	}
	return locks;
}

static void fill_content(const struct delivery *delivery, struct local_work *work)
{
	const struct delivery_request *request = delivery->request;
	work->queue_id = request->queue_id;
	work->content = request->content;
	work->content_fd = request->content_fd;
	work->content_offset = request->content_offset;
	work->size = request->size;
}

static struct span original_of(const struct delivery *delivery)
{
	return delivery->recipient->original.len > 0 ? delivery->recipient->original
		: delivery->recipient->address;
}

/* What goes with every message that is put into a file. */
void delivery_fill_mailbox(struct delivery *delivery, const struct target *target,
	struct local_work *work)
{
	struct buf headers = BUF_INIT(12000), base = BUF_INIT(200);
	fill_content(delivery, work);
	header_write(true, target->sender, original_of(delivery), target->address, &headers);
	filename_delivery_base(delivery->request->queue_id, delivery->recipient->index,
		delivery->request->arrival_ms, span_from_cstr(local.settings.myhostname), &base);
	work->sender = target->sender;
	work->headers = arena_dup(delivery->arena, buf_span(&headers));
	work->base = arena_dup(delivery->arena, buf_span(&base));
	/* Two ways of one recipient may lead to one mailbox. */
	if ((delivery->request->flags & DELIVERY_FIRST) != 0 && !delivery->has_written)
		work->first_ms = delivery->request->active_ms;
	delivery->has_written = true;
	work->flush_file = strcmp(local.settings.maildir_sync, "file") == 0;
	work->locks = parse_locks(delivery->is_virtual ? local.settings.virtual_lock
		: local.settings.mailbox_lock);
	work->lock_attempts = (uint32_t)local.settings.lock_attempts;
	work->lock_delay_ms = local.settings.lock_delay;
	work->stale_lock_ms = local.settings.stale_lock;
	work->size_limit = (uint64_t)(delivery->is_virtual ? local.settings.virtual_mailbox_limit
		: local.settings.mailbox_size_limit);
	buf_done(&headers);
	buf_done(&base);
}

void delivery_end_unasked(struct delivery *delivery, const struct target *target, uid_t uid,
	int error)
{
	if (error == -EACCES)
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.5",
			"uid %u may not be used for delivery (first_valid_uid, last_valid_uid)",
			(unsigned)uid);
	else
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0",
			"delivery worker unavailable: %s", strerror(-error));
}

/* mailbox_command or its map's: NULL for none. In the arena. */
static bool find_mailbox_command(struct delivery *delivery, const struct target *target,
	const struct account *account, struct span *ret_command)
{
	struct buf value = BUF_INIT(16384);
	*ret_command = SPAN_EMPTY;
	enum map_result result = map_list_is_empty(local.mailbox_commands) ? MAP_NOT_FOUND
		: map_list_lookup(local.mailbox_commands, buf_span(&account->name), &value);
	if (result == MAP_FOUND)
		*ret_command = arena_dup(delivery->arena, buf_span(&value));
	else if (result == MAP_NOT_FOUND && local.settings.mailbox_command != NULL)
		*ret_command = span_from_cstr(local.settings.mailbox_command);
	buf_done(&value);
	if (result == MAP_ERROR)
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0",
			"mailbox_command_maps lookup failure");
	return result != MAP_ERROR;
}

static void fill_forward_paths(struct delivery *delivery, const struct target *target,
	const struct account *account, struct local_work *work)
{
	struct span rest = span_from_cstr(local.settings.forward_path), word;
	work->home = buf_span(&account->home);
	work->require_home = local.settings.require_home && account->kind == ACCOUNT_SYSTEM;
	if (target->direct || account->home.len == 0)
		return;
	work->forward_paths = arena_array(delivery->arena, LOCAL_PATHS_MAX,
		sizeof(*work->forward_paths));
	while (work->forward_paths != NULL && work->forward_path_count < LOCAL_PATHS_MAX
		&& span_token(&rest, ", \t\r\n", &word)) {
		struct span path;
		/* Without an extension the first path is the second: asked once. */
		if (!template_expand(delivery, target, account, word, TEMPLATE_PATH, &path)
			|| path.len == 0 || path.ptr[0] != '/')
			continue;
		bool known = false;
		for (size_t i = 0; i < work->forward_path_count; i++)
			known = known || span_equal(work->forward_paths[i].path, path);
		if (!known)
			work->forward_paths[work->forward_path_count++].path = path;
	}
}

/* The group that may write where the mailbox is. */
static gid_t group_for(const struct account *account)
{
	struct span path = buf_span(&account->mailbox), spool = buf_span(&local.spool);
	if (account->kind == ACCOUNT_SYSTEM && !account->maildir && local.spool_gid != 0
		&& path.len > spool.len && span_starts_with(path, spool) && path.ptr[spool.len] == '/')
		return local.spool_gid;
	return account->gid;
}

static void deliver_to_mailbox(struct delivery *delivery, const struct target *target,
	const struct account *account)
{
	struct worker_key key = {.uid = account->uid, .gid = group_for(account)};
	struct local_work work = {.kind = LOCAL_WORK_MAILBOX, .content_fd = -1};
	struct local_done *done;
	struct channel *channel;
	struct span command;
	if (delivery_is_looping(delivery, target) ||
		!find_mailbox_command(delivery, target, account, &command))
		return;
	delivery_fill_mailbox(delivery, target, &work);
	fill_forward_paths(delivery, target, account, &work);
	/* Without a path the worker only looks for a forward file. */
	work.path = command.len > 0 ? SPAN_EMPTY : buf_span(&account->mailbox);
	work.maildir = account->maildir;
	work.must_own = local.settings.strict_ownership;
	int error = worker_call(&key, &work, &channel, &done);
	if (error != 0) {
		delivery_end_unasked(delivery, target, account->uid, error);
		return;
	}
	enum local_result result = (enum local_result)done->result;
	struct span list = SPAN_EMPTY;
	if (result == LOCAL_FORWARD)
		list = arena_dup(delivery->arena, done->content);
	else if (result != LOCAL_READ)
		delivery_end_done(delivery, target, done);
	worker_give(&key, channel);
	if (result == LOCAL_FORWARD) {
		struct target inside = *target;
		inside.direct = true; /* the user's own name in the list is the mailbox */
		inside.expanding = SPAN_EMPTY;
		bool before = delivery->outcome.is_set || delivery->forward_count > 0;
		deliver_to_targets(delivery, &inside, list, true, account);
		if (!before && !delivery->outcome.is_set && delivery->forward_count == 0) {
			/* An empty .forward file counts as none. */
			inside.direct = true;
			deliver_to_user(delivery, &inside);
		}
	} else if (result == LOCAL_READ) {
		struct span expanded;
		if (template_expand(delivery, target, account, command, TEMPLATE_COMMAND, &expanded))
			deliver_to_command(delivery, target, expanded, account);
		else
			delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.5",
				"mailbox_command cannot be expanded");
	}
}

/* --- users --- */

static void unknown_user(struct delivery *delivery, const struct target *target)
{
	const char *relay = local.settings.luser_relay;
	struct span address;
	/* Not again for what luser_relay itself leads to. */
	if (relay == NULL || relay[0] == '\0' || !first_visit(delivery, "luser ", SPAN_EMPTY)) {
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.1.1", "unknown user: \"%.*s\"",
			SPAN_ARGS(target->user));
		return;
	}
	if (!template_expand(
		    delivery, target, NULL, span_from_cstr(relay), TEMPLATE_ADDRESS, &address)) {
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.5",
			"luser_relay cannot be expanded");
		return;
	}
	struct target inside = *target;
	inside.depth++;
	deliver_address(delivery, &inside, address);
}

/* The superuser's mail, when no alias leads it elsewhere, is written as default_privs. */
static bool use_default_privs(struct account *account)
{
	if (account->uid != 0 || !local.has_default || account->mailbox.len == 0)
		return false;
	account->uid = local.default_uid;
	account->gid = local.default_gid;
	return true;
}

static void deliver_to_account(struct delivery *delivery, const struct target *target)
{
	struct account account;
	account_init(&account);
	enum account_status status = account_by_user(local.accounts, target->user, &account);
	if (status == ACCOUNT_UNUSABLE && use_default_privs(&account))
		status = ACCOUNT_FOUND;
	switch (status) {
	case ACCOUNT_FOUND:
		deliver_to_mailbox(delivery, target, &account);
		break;
	case ACCOUNT_NOT_FOUND:
		unknown_user(delivery, target);
		break;
	case ACCOUNT_TEMPORARY:
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0", "%s",
			buf_cstr(&account.problem));
		break;
	case ACCOUNT_UNUSABLE:
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.5",
			"mail system configuration error: %s", buf_cstr(&account.problem));
		break;
	}
	account_done(&account);
}

static void deliver_to_user(struct delivery *delivery, const struct target *target)
{
	struct span whole = local_part(target);
	if (target->depth > LOCAL_DEPTH_MAX) {
		delivery_end(delivery, target, DELIVERY_BOUNCED, "5.4.6",
			"aliases nested too deeply at %.*s", SPAN_ARGS(target->address));
		return;
	}
	if (!target->direct) {
		if (try_alias(delivery, target, whole) == ALIAS_HANDLED)
			return;
		if (target->user.len < whole.len
			&& try_alias(delivery, target, target->user) == ALIAS_HANDLED)
			return;
	}
	if (!first_visit(delivery, target->direct ? "mailbox " : "user ", target->address))
		return;
	/* Two ways to one mailbox: its own .forward file comes here a second time, directly. */
	deliver_to_account(delivery, target);
}

/* --- the whole --- */

static bool is_virtual(const struct delivery_request *request,
	const struct delivery_recipient *recipient)
{
	enum route_class class;
	if (span_equal(request->transport, SPAN("virtual")))
		return true;
	return route_class(local.route, recipient->address, &class) && class == ROUTE_VIRTUAL_MAILBOX;
}

static void begin(struct delivery *delivery, const struct delivery_request *request,
	const struct delivery_recipient *recipient, struct target *ret_target)
{
	delivery->request = request;
	delivery->recipient = recipient;
	delivery->start_ms = clock_wall_ms();
	delivery->is_virtual = is_virtual(request, recipient);
	table_init(&delivery->seen);
	buf_init(&delivery->outcome.text, 4096);
	*ret_target = make_target(recipient->address, request->sender);
}

static void finish(struct delivery *delivery, const struct target *target,
	struct delivery_outcome *ret_outcome)
{
	struct arena *arena = delivery->arena;
	struct outcome *outcome = &delivery->outcome;
	if (delivery->forward_count > 0
		&& (!outcome->is_set || outcome->status != DELIVERY_DEFERRED))
		forward_all(delivery, target);
	if (!outcome->is_set || arena->overflow)
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0", "%s",
			arena->overflow ? "too many destinations" : "no destination was found");
	/* A failure ends the recipient's way, and with it the message may go from the queue: what went
	 * into a Maildir beside it must be durable first. */
	if (outcome->status == DELIVERY_BOUNCED && outcome->checkpoint != 0
		&& !checkpoint_await(outcome->checkpoint))
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.0",
			"cannot make the delivery durable");
	if (outcome->status != DELIVERY_DEFERRED)
		forwarded_forget(delivery);
	*ret_outcome = (struct delivery_outcome){
		.index = delivery->recipient->index, .status = outcome->status,
		.dsn = arena_dup(arena, span_from_cstr(outcome->dsn)),
		.text = arena_dup(arena, buf_span(&outcome->text)),
		.remote_mta = SPAN_EMPTY, .diagnostic = SPAN_EMPTY,
		.checkpoint = outcome->status == DELIVERY_DEFERRED ? 0 : outcome->checkpoint,
	};
	table_done(&delivery->seen, NULL);
	buf_done(&outcome->text);
}

void deliver_all(const struct delivery_request *request, struct span header, struct arena *arena,
	struct delivery_outcome *outcomes)
{
	size_t count = request->recipient_count;
	struct delivery *deliveries = memory_zalloc(count + 1, sizeof(*deliveries));
	struct target *targets = memory_zalloc(count + 1, sizeof(*targets));
	struct virtual_batch batch = {
		.max = count < LOCAL_BATCH_MAX ? count : LOCAL_BATCH_MAX};
	for (size_t i = 0; i < count; i++) {
		struct delivery *delivery = &deliveries[i];
		delivery->arena = arena;
		delivery->header = header;
		begin(delivery, request, &request->recipients[i], &targets[i]);
		if (delivery->is_virtual) {
			virtual_deliver(&batch, delivery, &targets[i]);
		} else {
			deliver_to_user(delivery, &targets[i]);
			finish(delivery, &targets[i], &outcomes[i]);
		}
	}
	virtual_flush(&batch);
	for (size_t i = 0; i < count; i++)
		if (deliveries[i].is_virtual)
			finish(&deliveries[i], &targets[i], &outcomes[i]);
	free(deliveries);
	free(targets);
}
