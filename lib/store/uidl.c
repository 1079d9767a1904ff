/* tambo-uidl; see uidl_private.h.
 * SPDX-License-Identifier: ISC */
#include "store/uidl_private.h"

#include <stdlib.h>

#include "base/ascii.h"

static bool is_uidl(struct span uidl)
{
	if (uidl.len == 0 || uidl.len > UIDL_LEN_MAX)
		return false;
	for (size_t i = 0; i < uidl.len; i++)
		if (!ascii_is_graph(uidl.ptr[i]))
			return false;
	return true;
}

void uidl_format(uint32_t uid, struct span uidl, struct buf *out)
{
	if (is_uidl(uidl))
		buf_append_format(out, "%u %.*s\n", uid, SPAN_ARGS(uidl));
}

void uidl_parse(struct span text, struct table *uidls)
{
	struct span rest = text;
	while (rest.len > 0) {
		struct span line = span_split(&rest, '\n');
		uint64_t uid;
		if (!span_to_u64(span_split(&line, ' '), UINT32_MAX, &uid) || uid == 0 || !is_uidl(line))
			continue;
		uint32_t key = (uint32_t)uid;
		free(table_put(uidls, span_new(&key, sizeof(key)), span_dup_cstr(line)));
	}
}
