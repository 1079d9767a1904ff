/* The small files of a mailbox: ours, Dovecot's, Courier's.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "store/keyword_log_private.h"
#include "store/record_private.h"
#include "store/subscription_private.h"
#include "store/uidl_private.h"
#include "store/uidlist_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void entry(const struct uidlist_entry *item, void *arg)
{
	(void)arg;
	CHECK(item->name.len > 0);
}

static void keyword(size_t number, struct span name, void *arg)
{
	(void)record_keyword_put(arg, number, name);
}

static void message(struct span name, uint32_t keywords, void *arg)
{
	(void)arg;
	CHECK(name.len > 0 && keywords != 0);
}

static void check_record(struct span text)
{
	struct record record;
	struct buf out = BUF_INIT(1UL << 20);
	record_init(&record);
	if (record_parse(text, &record)) {
		record_format(&record, &out);
		CHECK(record_parse(buf_span(&out), &record));
	}
	uidlist_parse_keywords(text, keyword, &record);
	uidlist_parse_courier_keywords(text, keyword, message, &record);
	struct keyword_log log;
	uint16_t numbers[STORE_KEYWORDS_MAX];
	keyword_log_init(&log);
	buf_append(&log.text, text);
	keyword_log_parse(&log);
	for (uint32_t uid = 1; uid < 5; uid++)
		CHECK(keyword_log_get(&log, &record, uid, numbers) <= STORE_KEYWORDS_MAX);
	keyword_log_done(&log);
	record_done(&record);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_new(data, size);
	struct uidlist_head head;
	struct subscriptions subscriptions;
	struct arena arena;
	struct table uidls;
	struct buf out = BUF_INIT(1UL << 20);
	if (uidlist_parse(text, entry, NULL, &head))
		CHECK(head.uidvalidity != 0 && head.uidnext != 0);
	(void)uidlist_parse_courier_pop3(text, entry, NULL);
	check_record(text);
	arena_init(&arena, 1UL << 22);
	if (subscriptions_parse(text, &arena, &subscriptions) == 0)
		subscriptions_format(&subscriptions, &out);
	(void)subscriptions_parse_courier(text, &arena, &subscriptions);
	arena_done(&arena);
	table_init(&uidls);
	uidl_parse(text, &uidls);
	table_done(&uidls, free);
	buf_done(&out);
	return 0;
}
