/* See expand.h. The order of events for one recipient is that of Postfix: complete, look up,
 * complete each result, look it up in turn unless it stands for itself, until nothing changes.
 * SPDX-License-Identifier: ISC */
#include "cleanup/expand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/table.h"
#include "cleanup/rewrite.h"
#include "cleanup/settings.h"
#include "mail/address.h"
#include "mail/address_list.h"
#include "route/address_lookup.h"
#include "task/task.h"

#define SET_MAX 262144 /* addresses; duplicates above that are not noticed */
#define VALUE_MAX (256u * 1024)
#define WORK_ARENA (4u * 1024 * 1024)
#define YIELD_EVERY 64

static bool set_insert(struct address_set *set, uint64_t high, uint64_t low)
{
	for (size_t i = low & (set->slot_count - 1);; i = (i + 1) & (set->slot_count - 1)) {
		uint64_t *slot = &set->slots[i * 2];
		if (slot[0] == high && slot[1] == low)
			return false;
		if (slot[0] == 0 && slot[1] == 0) {
			slot[0] = high;
			slot[1] = low;
			set->count++;
			return true;
		}
	}
}

static void set_grow(struct address_set *set)
{
	struct address_set old = *set;
	set->slot_count = old.slot_count == 0 ? 16 : old.slot_count * 2;
	set->slots = memory_zalloc(set->slot_count * 2, sizeof *set->slots);
	set->count = 0;
	for (size_t i = 0; i < old.slot_count; i++)
		if (old.slots[i * 2] != 0 || old.slots[i * 2 + 1] != 0)
			set_insert(set, old.slots[i * 2], old.slots[i * 2 + 1]);
	free(old.slots);
}

/* True when the address is new (or the set is full). */
static bool set_add(struct address_set *set, struct span address)
{
	struct buf key = BUF_INIT(QUEUE_ADDRESS_MAX + 8);
	if (set->count >= SET_MAX)
		return true;
	if (set->count * 2 >= set->slot_count)
		set_grow(set);
	buf_append_char(&key, 'a');
	mail_address_fold_domain(address, &key);
	uint64_t low = table_hash(buf_span(&key));
	key.ptr[0] = 'b';
	uint64_t high = table_hash(buf_span(&key)) | 1;
	buf_done(&key);
	return set_insert(set, high, low);
}

void expansion_init(struct expansion *expansion, int directory, const char *queue_id, bool map)
{
	*expansion = (struct expansion){.map = map, .status = CLEANUP_OK};
	recipient_list_init(&expansion->list, directory, queue_id);
}

void expansion_done(struct expansion *expansion)
{
	recipient_list_done(&expansion->list);
	free(expansion->seen.slots);
	expansion->seen = (struct address_set){0};
}

__attribute__((format(printf, 3, 4))) static void fail(
	struct expansion *expansion, enum cleanup_status status, const char *format, ...)
{
	va_list args;
	if (expansion->status != CLEANUP_OK)
		return;
	expansion->status = status;
	va_start(args, format);
	vsnprintf(expansion->problem, sizeof expansion->problem, format, args);
	va_end(args);
}

static void put(struct expansion *expansion, struct span address,
	const struct cleanup_recipient *given, struct span original)
{
	struct queue_recipient recipient = {.address = address,
		.original = original,
		.orcpt = given->orcpt,
		.notify = given->notify};
	if (!set_add(&expansion->seen, address))
		return;
	int error = recipient_list_add(&expansion->list, &recipient);
	if (error == -ENOSPC)
		fail(expansion, CLEANUP_NO_SPACE, "no space for the recipients");
	else if (error != 0)
		fail(expansion, CLEANUP_QUEUE_ERROR, "cannot store recipients: error %d", -error);
	else if (expansion->list.count % YIELD_EVERY == 0)
		(void)task_yield();
}

/* Addresses still to be looked up, each with its depth. */
struct work {
	struct arena arena;
	struct item {
		struct span address;
		int64_t depth;
	} *items;
	size_t count, alloc;
	size_t results; /* all that the original recipient has become */
	size_t finals;
};

static bool work_add(struct work *work, struct span address, int64_t depth)
{
	if (work->count == work->alloc) {
		size_t alloc = work->alloc == 0 ? 8 : work->alloc * 2;
		work->items = memory_resize(work->items, alloc, sizeof *work->items);
		work->alloc = alloc;
	}
	struct span copy = arena_dup(&work->arena, address);
	work->items[work->count] = (struct item){copy, depth};
	work->count++;
	return !work->arena.overflow;
}

/* The next address of a table's value: between commas that no quotes enclose. */
static bool next_result(struct span *rest, struct span *ret_text)
{
	while (rest->len > 0) {
		bool quoted = false;
		size_t i = 0;
		for (; i < rest->len && (quoted || (rest->ptr[i] != ',' && rest->ptr[i] != '\n'));
			i++) {
			if (rest->ptr[i] == '\\' && i + 1 < rest->len)
				i++;
			else if (rest->ptr[i] == '"')
				quoted = !quoted;
		}
		struct span text = span_trim(span_head(*rest, i));
		*rest = span_skip(*rest, i + 1);
		if (text.len > 0) {
			*ret_text = text;
			return true;
		}
	}
	return false;
}

/* Appends what one text of a table's value stands for, in internal form and complete. */
static void resolve_result(
	struct span text, struct span address, struct span extension, struct buf *out)
{
	struct buf internal = BUF_INIT(MAIL_PATH_MAX), whole = BUF_INIT(MAIL_PATH_MAX);
	if (text.ptr[0] == '@') {
		buf_append(&internal, text);
	} else {
		struct arena arena;
		struct address_list list;
		arena_init(&arena, WORK_ARENA);
		address_list_parse(text, 2, &arena, &list);
		if (list.count > 0 && list.items[0].kind == ADDRESS_MAILBOX)
			address_item_address(&list.items[0], &internal);
		arena_done(&arena);
	}
	if (internal.len > 0 && !internal.overflow) {
		address_lookup_result(buf_span(&internal), address, extension,
			route_origin(process.route), &whole);
		rewrite_address(buf_span(&whole), out);
		if (whole.overflow)
			out->overflow = true;
	}
	buf_done(&internal);
	buf_done(&whole);
}

/* Looks one address up: its results join the work, or it is final. */
static void expand_one(struct expansion *expansion, struct work *work, struct item item,
	const struct cleanup_recipient *given, struct span original)
{
	struct buf value = BUF_INIT(VALUE_MAX), result = BUF_INIT(MAIL_PATH_MAX);
	struct span extension = SPAN_EMPTY, text;
	enum map_result found =
		route_virtual_alias(process.route, item.address, &value, &extension);
	bool to_itself = false, any = false;
	if (found == MAP_ERROR)
		fail(expansion, CLEANUP_QUEUE_ERROR,
			"virtual_alias_maps map lookup problem for %.*s -- "
			"message not accepted, try again later",
			SPAN_ARGS(original));
	if (found == MAP_FOUND && item.depth >= process.settings.recursion_limit)
		fail(expansion, CLEANUP_QUEUE_ERROR,
			"unreasonable virtual_alias_maps map nesting for "
			"%.*s -- message not accepted, try again later",
			SPAN_ARGS(original));
	struct span rest = found == MAP_FOUND ? buf_span(&value) : SPAN_EMPTY;
	while (expansion->status == CLEANUP_OK && next_result(&rest, &text)) {
		buf_reset(&result);
		resolve_result(text, item.address,
			process.propagate_virtual ? extension : SPAN_EMPTY, &result);
		if (result.overflow || result.len > (size_t)process.settings.alias_length_limit) {
			fail(expansion, CLEANUP_QUEUE_ERROR,
				"unreasonable virtual_alias_maps result %.*s... -- "
				"message not accepted, try again later",
				SPAN_ARGS(span_head(text, 100)));
			break;
		}
		if (result.len == 0)
			continue;
		any = true;
		if (span_equal_nocase(buf_span(&result), item.address)) {
			to_itself = true;
			continue;
		}
		if (++work->results > (size_t)process.settings.expansion_limit ||
			!work_add(work, buf_span(&result), item.depth + 1))
			fail(expansion, CLEANUP_QUEUE_ERROR,
				"unreasonable virtual_alias_maps map expansion size "
				"for %.*s -- message not accepted, try again later",
				SPAN_ARGS(original));
	}
	if (expansion->status == CLEANUP_OK && (!any || to_itself)) {
		work->finals++;
		put(expansion, item.address, given, original);
	}
	buf_done(&value);
	buf_done(&result);
}

static void expand(
	struct expansion *expansion, const struct cleanup_recipient *given, struct span original)
{
	struct work work = {0};
	struct address_set visited = {0}; /* a loop ends at an address that was seen before */
	arena_init(&work.arena, WORK_ARENA);
	work_add(&work, original, 0);
	for (size_t i = 0; i < work.count && expansion->status == CLEANUP_OK; i++)
		if (set_add(&visited, work.items[i].address))
			expand_one(expansion, &work, work.items[i], given, original);
	if (work.finals == 0)
		fail(expansion, CLEANUP_QUEUE_ERROR,
			"virtual_alias_maps map loop for %.*s -- message not "
			"accepted, try again later",
			SPAN_ARGS(original));
	free(work.items);
	free(visited.slots);
	arena_done(&work.arena);
}

void expansion_add(struct expansion *expansion, const struct cleanup_recipient *recipient)
{
	struct buf original = BUF_INIT(QUEUE_ADDRESS_MAX);
	if (expansion->status != CLEANUP_OK)
		return;
	rewrite_address(recipient->address.len > 0
				? recipient->address
				: span_from_cstr(process.settings.empty_address_recipient),
		&original);
	if (original.overflow)
		fail(expansion, CLEANUP_REJECTED, "recipient address too long");
	else if (expansion->map && route_has_virtual_aliases(process.route))
		expand(expansion, recipient, buf_span(&original));
	else
		put(expansion, buf_span(&original), recipient, buf_span(&original));
	buf_done(&original);
}
