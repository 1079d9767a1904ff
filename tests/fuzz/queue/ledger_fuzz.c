/* A ledger's bytes: the scan ends within them, and what it accepts encodes again.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "queue/ledger_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void visit(void *arg, const struct ledger_entry *entry)
{
	struct buf out = BUF_INIT(100000);
	struct ledger_entry again;
	ledger_entry_encode(entry, &out);
	CHECK(ledger_entry_decode(span_skip(buf_span(&out), 4), &again));
	CHECK(again.kind == entry->kind && again.value == entry->value &&
		again.first == entry->first);
	buf_done(&out);
	++*(uint64_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t seen = 0, count = 0;
	struct ledger_entry entry;
	struct ledger_header header;
	(void)ledger_header_decode(span_new(data, size), &header);
	if (ledger_entry_decode(span_new(data, size), &entry))
		visit(&seen, &entry);
	seen = 0;
	/* The corpus was written with epoch 0. */
	CHECK(ledger_scan(span_new(data, size), 0, visit, &seen, &count) <= size && seen == count);
	return 0;
}
