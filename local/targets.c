/* What stands in aliases, :include: and .forward files: each item by its kind.
 * SPDX-License-Identifier: ISC */
#include <errno.h>

#include "base/log.h"
#include "local/alias.h"
#include "local/header.h"
#include "local/local.h"
#include "store/filename.h"

/* Where a list came from, as allow_mail_to_commands and allow_mail_to_files name it. */
enum source { FROM_ALIAS, FROM_FORWARD, FROM_INCLUDE };

static const char *const source_names[] = {"alias", "forward", "include"};

static bool is_listed(const char *list, const char *word)
{
	struct span rest = span_from_cstr(list), item;
	while (span_token(&rest, ", \t", &item))
		if (span_equal(item, span_from_cstr(word)))
			return true;
	return false;
}

/* Who writes and runs: the account, or default_privs. */
static bool choose_privs(struct delivery *delivery, const struct target *target,
	const struct account *owner, uid_t *ret_uid, gid_t *ret_gid)
{
	if (owner != NULL) {
		*ret_uid = owner->uid;
		*ret_gid = owner->gid;
		return true;
	}
	if (!local.has_default) {
		delivery_end(delivery, target, DELIVERY_DEFERRED, "4.3.5", "default_privs: unknown user %s",
			local.settings.default_privs);
		return false;
	}
	*ret_uid = local.default_uid;
	*ret_gid = local.default_gid;
	return true;
}

static void fill(struct delivery *delivery, const struct target *target, const char *what,
	struct local_work *work)
{
	const struct delivery_request *request = delivery->request;
	struct buf headers = BUF_INIT(12000), base = BUF_INIT(200);
	struct span original = delivery->recipient->original.len > 0 ? delivery->recipient->original
		: delivery->recipient->address;
	bool delivered_to = is_listed(local.settings.prepend_delivered, what);
	header_write(true, target->sender, original, delivered_to ? target->address : SPAN_EMPTY,
		&headers);
	filename_delivery_base(request->queue_id, delivery->recipient->index, request->arrival_ms,
		span_from_cstr(local.settings.myhostname), &base);
	*work = (struct local_work){
		.queue_id = request->queue_id, .sender = target->sender,
		.headers = arena_dup(delivery->arena, buf_span(&headers)),
		.base = arena_dup(delivery->arena, buf_span(&base)),
		.content = request->content, .content_fd = request->content_fd,
		.content_offset = request->content_offset, .size = request->size,
		.flush_file = strcmp(local.settings.maildir_sync, "file") == 0,
		.size_limit = (uint64_t)local.settings.mailbox_size_limit,
		.locks = LOCAL_LOCK_FCNTL | LOCAL_LOCK_DOTLOCK,
		.lock_attempts = (uint32_t)local.settings.lock_attempts,
		.lock_delay_ms = local.settings.lock_delay, .stale_lock_ms = local.settings.stale_lock,
		.time_limit_ms = local.settings.command_time_limit,
		.shell = span_from_cstr(local.settings.command_shell),
	};
	buf_done(&headers);
	buf_done(&base);
}

static void call(struct delivery *delivery, const struct target *target, struct local_work *work,
	const struct account *owner)
{
	struct local_done *done;
	struct channel *channel;
	struct worker_key key = {.command = work->kind == LOCAL_WORK_COMMAND};
	if (!choose_privs(delivery, target, owner, &key.uid, &key.gid))
		return;
	int error = worker_call(&key, work, &channel, &done);
	if (error != 0) {
		delivery_end(delivery, target, DELIVERY_DEFERRED, error == -EACCES ? "4.3.5" : "4.3.0",
			"delivery worker of uid %u unavailable: %s", (unsigned)key.uid, strerror(-error));
		return;
	}
	delivery_end_done(delivery, target, done);
	worker_give(&key, channel);
}

static void deliver_to_file(struct delivery *delivery, const struct target *target,
	struct span path, const struct account *owner)
{
	struct local_work work;
	if (span_equal(path, SPAN("/dev/null"))) {
		delivery_end(delivery, target, DELIVERY_SENT, "2.0.0", "delivered to file: /dev/null");
		return;
	}
	if (delivery_is_looping(delivery, target))
		return;
	fill(delivery, target, "file", &work);
	work.kind = LOCAL_WORK_FILE;
	work.maildir = span_ends_with(path, SPAN("/"));
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	work.path = path;
	call(delivery, target, &work, owner);
}

static void add_variable(struct local_work *work, const char *name, struct span value)
{
	if (value.len > 0 && value.len <= 4096 && work->variable_count < LOCAL_VARIABLES_MAX
		&& memchr(value.ptr, 0, value.len) == NULL)
		work->variables[work->variable_count++] =
			(struct local_variable){span_from_cstr(name), value};
}

/* The environment of local(8)'s "EXTERNAL COMMAND DELIVERY". */
static void fill_environment(struct delivery *delivery, const struct target *target,
	const struct account *owner, struct local_work *work)
{
	const struct delivery_request *request = delivery->request;
	size_t at = span_find_last_char(target->address, '@');
	struct span local_part = at == SIZE_MAX ? target->address : span_head(target->address, at);
	work->variables = arena_array(delivery->arena, LOCAL_VARIABLES_MAX, sizeof(*work->variables));
	if (work->variables == NULL)
		return;
	if (owner != NULL) {
		add_variable(work, "HOME", buf_span(&owner->home));
		add_variable(work, "LOGNAME", buf_span(&owner->name));
		add_variable(work, "USER", buf_span(&owner->name));
		add_variable(work, "SHELL", buf_span(&owner->shell));
	}
	add_variable(work, "EXTENSION", target->extension);
	add_variable(work, "LOCAL", local_part);
	add_variable(work, "DOMAIN", at == SIZE_MAX ? SPAN_EMPTY : span_skip(target->address, at + 1));
	add_variable(work, "RECIPIENT", target->address);
	add_variable(work, "ORIGINAL_RECIPIENT", delivery->recipient->original.len > 0
		? delivery->recipient->original : delivery->recipient->address);
	add_variable(work, "SENDER", target->sender.len > 0 ? target->sender : SPAN("MAILER-DAEMON"));
	add_variable(work, "CLIENT_ADDRESS", request->client_address);
	add_variable(work, "CLIENT_HELO", request->client_helo);
	add_variable(work, "CLIENT_HOSTNAME", request->client_name);
	add_variable(work, "CLIENT_PROTOCOL", request->client_protocol);
	add_variable(work, "SASL_METHOD", request->sasl_method);
	add_variable(work, "SASL_USERNAME", request->sasl_username);
	add_variable(work, "ENVID", request->envid);
}

void deliver_to_command(struct delivery *delivery, const struct target *target, struct span command,
	const struct account *owner)
{
	struct local_work work;
	if (delivery_is_looping(delivery, target))
		return;
	fill(delivery, target, "command", &work);
	work.kind = LOCAL_WORK_COMMAND;
	work.command = command;
	work.directory = owner != NULL && owner->home.len > 0 ? buf_span(&owner->home) : SPAN("/");
	fill_environment(delivery, target, owner, &work);
	call(delivery, target, &work, owner);
}

/* --- lists --- */

struct list {
	struct delivery *delivery;
	const struct target *from;
	const struct account *owner;
	enum source source;
	unsigned includes;
};

static void deliver_list(struct list *list, struct span text, bool is_file);

/* Read by a worker of the list's owner, or of default_privs: never with more rights than a
 * stranger's file of addresses deserves. */
static void deliver_include(struct list *list, struct span path)
{
	struct delivery *delivery = list->delivery;
	struct local_work work = {.kind = LOCAL_WORK_READ, .path = path, .content_fd = -1,
		.queue_id = delivery->request->queue_id};
	struct local_done *done;
	struct channel *channel;
	struct worker_key key = {.command = false};
	if (list->includes >= 5) {
		delivery_end(delivery, list->from, DELIVERY_BOUNCED, "5.4.6",
			":include: nested too deeply: %.*s", SPAN_ARGS(path));
		return;
	}
	if (!choose_privs(delivery, list->from, list->owner, &key.uid, &key.gid))
		return;
	int error = worker_call(&key, &work, &channel, &done);
	if (error != 0) {
		delivery_end(delivery, list->from, DELIVERY_DEFERRED, "4.3.0",
			"cannot read include file %.*s: %s", SPAN_ARGS(path), strerror(-error));
		return;
	}
	bool read = done->result == LOCAL_READ;
	struct span text = read ? arena_dup(delivery->arena, done->content) : SPAN_EMPTY;
	if (!read)
		delivery_end_done(delivery, list->from, done);
	worker_give(&key, channel);
	if (read) {
		struct list inside = *list;
		inside.source = FROM_INCLUDE;
		inside.includes++;
		deliver_list(&inside, text, true);
	}
}

static bool is_allowed(const struct list *list, const char *parameter, const char *what,
	struct span text)
{
	if (is_listed(parameter, source_names[list->source]))
		return true;
	delivery_end(list->delivery, list->from, DELIVERY_BOUNCED, "5.7.1",
		"mail to %s is restricted: %.*s", what, SPAN_ARGS(text));
	return false;
}

static void deliver_one(struct list *list, const struct alias_target *item)
{
	struct target direct;
	switch (item->kind) {
	case ALIAS_ADDRESS:
		deliver_address(list->delivery, list->from, item->text);
		break;
	case ALIAS_DIRECT:
		direct = *list->from;
		direct.direct = true;
		direct.user = item->text;
		size_t at = span_find_last_char(item->text, '@');
		if (at != SIZE_MAX)
			direct.user = span_head(item->text, at);
		deliver_address(list->delivery, &direct, item->text);
		break;
	case ALIAS_COMMAND:
		if (is_allowed(list, local.settings.mail_commands, "command", item->text))
			deliver_to_command(list->delivery, list->from, item->text, list->owner);
		break;
	case ALIAS_FILE:
		if (is_allowed(list, local.settings.mail_files, "file", item->text))
			deliver_to_file(list->delivery, list->from, item->text, list->owner);
		break;
	case ALIAS_INCLUDE:
		deliver_include(list, item->text);
		break;
	}
}

static void deliver_list(struct list *list, struct span text, bool is_file)
{
	struct alias_target *items;
	size_t count;
	switch (alias_parse(text, is_file, list->delivery->arena, &items, &count)) {
	case ALIAS_OK:
		for (size_t i = 0; i < count; i++)
			deliver_one(list, &items[i]);
		break;
	case ALIAS_TOO_MANY:
		delivery_end(list->delivery, list->from, DELIVERY_DEFERRED, "4.3.5",
			"too many destinations in a list of %.*s", SPAN_ARGS(list->from->address));
		break;
	case ALIAS_BAD:
		delivery_end(list->delivery, list->from, DELIVERY_DEFERRED, "4.3.5",
			"malformed list of destinations of %.*s", SPAN_ARGS(list->from->address));
		break;
	}
}

void deliver_to_targets(struct delivery *delivery, const struct target *from, struct span text,
	bool is_file, const struct account *owner)
{
	struct list list = {delivery, from, owner, owner != NULL ? FROM_FORWARD : FROM_ALIAS, 0};
	deliver_list(&list, text, is_file);
}
