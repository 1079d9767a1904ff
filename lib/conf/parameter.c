/* The index over the parameter tables, and names made from transports' names.
 * SPDX-License-Identifier: ISC */
#include "conf/parameter.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "conf/parameter_tables.h"

const struct parameter_table *const parameter_tables[] = {
#define TABLE(name) &parameters_##name,
	PARAMETER_TABLES(TABLE)
#undef TABLE
};
const size_t parameter_table_count = ARRAY_LEN(parameter_tables);

static const struct parameter **sorted;
static size_t sorted_count;

static int compare_rows(const void *a, const void *b)
{
	const struct parameter *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static void sort_rows(void)
{
	for (size_t i = 0; i < parameter_table_count; i++)
		sorted_count += parameter_tables[i]->count;
	sorted = memory_zalloc(sorted_count, sizeof *sorted);
	for (size_t i = 0, at = 0; i < parameter_table_count; i++) {
		for (size_t row = 0; row < parameter_tables[i]->count; row++)
			sorted[at++] = &parameter_tables[i]->rows[row];
	}
	qsort(sorted, sorted_count, sizeof *sorted, compare_rows);
}

const struct parameter *const *parameter_sorted(size_t *ret_count)
{
	if (sorted == NULL)
		sort_rows();
	*ret_count = sorted_count;
	return sorted;
}

const char *parameter_text(const struct parameter *parameter)
{
	return parameter->long_text != NULL ? parameter->long_text : parameter->text;
}

const struct parameter *parameter_find(struct span name)
{
	size_t low = 0, high;
	const struct parameter *const *rows = parameter_sorted(&high);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = span_compare(name, span_from_cstr(rows[middle]->name));
		if (order == 0)
			return rows[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

#define QUEUE_RULE(name, type, meaning)                                                            \
	{                                                                                          \
		"_" name, "$default_" name, PARAMETER_##type, meaning                              \
	}

/* Longer suffixes first where one ends in another. */
const struct parameter_rule parameter_rules[] = {
	QUEUE_RULE("destination_concurrency_failed_cohort_limit", INT,
		"failed cohorts before a destination is taken for dead"),
	QUEUE_RULE("destination_concurrency_limit", INT, "deliveries to one destination at once"),
	QUEUE_RULE("destination_concurrency_negative_feedback", STRING,
		"how much a failed delivery lowers the concurrency"),
	QUEUE_RULE("destination_concurrency_positive_feedback", STRING,
		"how much a good delivery raises the concurrency"),
	QUEUE_RULE("destination_rate_delay", TIME, "pause between deliveries to one destination"),
	QUEUE_RULE("destination_recipient_limit", INT, "recipients in one delivery"),
	{"_initial_destination_concurrency", "$initial_destination_concurrency", PARAMETER_INT,
		"deliveries to a destination that is not yet known, at once"},
	QUEUE_RULE("delivery_slot_cost", INT, "deliveries that earn one preemption slot"),
	QUEUE_RULE("delivery_slot_discount", INT, "percentage of slots that need not be earned"),
	QUEUE_RULE("delivery_slot_loan", INT, "slots that need not be earned"),
	QUEUE_RULE("minimum_delivery_slots", INT, "slots below which nothing is preempted"),
	QUEUE_RULE("extra_recipient_limit", INT, "recipients in memory for preempting messages"),
	QUEUE_RULE("recipient_limit", INT, "recipients in memory for this transport"),
	QUEUE_RULE("recipient_refill_delay", TIME, "longest wait before more recipients are read"),
	QUEUE_RULE("recipient_refill_limit", INT, "recipients read at a time"),
	QUEUE_RULE("transport_rate_delay", TIME, "pause between deliveries of this transport"),
	{"_time_limit", "$command_time_limit", PARAMETER_TIME,
		"how long a command of this pipe or spawn service may run"},
	{"_delivery_status_filter", "$default_delivery_status_filter", PARAMETER_MAPS,
		"rewrites delivery status codes and texts of this transport"},
};
const size_t parameter_rule_count = ARRAY_LEN(parameter_rules);

const struct parameter_rule *parameter_rule_find(struct span name)
{
	for (size_t i = 0; i < parameter_rule_count; i++) {
		struct span suffix = span_from_cstr(parameter_rules[i].suffix);
		if (name.len > suffix.len && span_ends_with(name, suffix))
			return &parameter_rules[i];
	}
	return NULL;
}
