/* Sequence sets: parse, resolve, membership, writing. RFC 3501 section 9.
 * SPDX-License-Identifier: ISC */
#include "imap/sequence_set.h"

#include <stdlib.h>

static bool parse_bound(struct imap_parser *parser, uint32_t *ret_bound)
{
	if (imap_parser_accept(parser, '*')) {
		*ret_bound = 0;
		return true;
	}
	return imap_parse_nz_number(parser, ret_bound)
		       ? true
		       : imap_parser_fail(parser, "Invalid sequence set");
}

static bool parse_range(struct imap_parser *parser, struct imap_range *ret_range)
{
	if (!parse_bound(parser, &ret_range->first))
		return false;
	ret_range->last = ret_range->first;
	return imap_parser_accept(parser, ':') ? parse_bound(parser, &ret_range->last) : true;
}

bool imap_parse_set(struct imap_parser *parser, struct imap_set *ret_set)
{
	size_t room = 0;
	*ret_set = (struct imap_set){NULL, 0};
	do {
		if (ret_set->count >= IMAP_SET_RANGES_MAX)
			return imap_parser_fail(parser, "Sequence set is too long");
		if (ret_set->count == room) {
			size_t grown = room == 0 ? 8 : room * 2;
			struct imap_range *ranges = arena_grow(
				parser->arena, ret_set->ranges, room, grown, sizeof(*ranges));
			if (ranges == NULL)
				return imap_parser_fail(parser, "Sequence set is too long");
			ret_set->ranges = ranges;
			room = grown;
		}
		if (!parse_range(parser, &ret_set->ranges[ret_set->count]))
			return imap_parser_fail(parser, "Invalid sequence set");
		ret_set->count++;
	} while (imap_parser_accept(parser, ','));
	return true;
}

static int compare(const void *left, const void *right)
{
	const struct imap_range *a = left, *b = right;
	return a->first < b->first ? -1 : a->first > b->first;
}

void imap_set_resolve(struct imap_set *set, uint32_t largest)
{
	size_t kept = 0;
	for (size_t i = 0; i < set->count; i++) {
		struct imap_range range = set->ranges[i];
		if (range.first == 0)
			range.first = largest;
		if (range.last == 0)
			range.last = largest;
		if (range.first > range.last)
			range = (struct imap_range){range.last, range.first};
		if (range.last == 0)
			continue;
		if (range.first == 0)
			range.first = 1;
		set->ranges[kept++] = range;
	}
	set->count = kept;
	if (kept == 0)
		return;
	qsort(set->ranges, kept, sizeof(*set->ranges), compare);
	size_t last = 0;
	for (size_t i = 1; i < kept; i++) {
		struct imap_range *open = &set->ranges[last];
		if (open->last == UINT32_MAX || set->ranges[i].first <= open->last + 1) {
			if (set->ranges[i].last > open->last)
				open->last = set->ranges[i].last;
		} else {
			set->ranges[++last] = set->ranges[i];
		}
	}
	set->count = last + 1;
}

bool imap_set_has(const struct imap_set *set, uint32_t number)
{
	size_t low = 0, high = set->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (number < set->ranges[middle].first)
			high = middle;
		else if (number > set->ranges[middle].last)
			low = middle + 1;
		else
			return true;
	}
	return false;
}

uint32_t imap_set_largest(const struct imap_set *set)
{
	uint32_t largest = 0;
	for (size_t i = 0; i < set->count; i++) {
		const struct imap_range *range = &set->ranges[i];
		if (range->first == 0 || range->last == 0)
			continue;
		uint32_t high = range->first > range->last ? range->first : range->last;
		largest = high > largest ? high : largest;
	}
	return largest;
}

void imap_set_write_number(struct imap_set_writer *writer, uint32_t number)
{
	if (number != 0 && writer->last != 0 && number == writer->last + 1) {
		writer->last = number;
		return;
	}
	if (writer->last != 0) {
		if (writer->any)
			buf_append_char(writer->out, ',');
		buf_append_u64(writer->out, writer->first);
		if (writer->last != writer->first) {
			buf_append_char(writer->out, ':');
			buf_append_u64(writer->out, writer->last);
		}
		writer->any = true;
	}
	writer->first = writer->last = number;
}
