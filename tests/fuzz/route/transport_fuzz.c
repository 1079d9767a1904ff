/* What transport_maps and its kin may answer: any bytes are taken apart into two texts of one
 * line, and resolving with them ends.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "route/route_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct route_target target, again;
	struct span text = span_new(data, size);
	route_target_parse(text, &target);
	CHECK(target.transport != NULL && target.nexthop != NULL);
	CHECK(strlen(target.transport) + strlen(target.nexthop) <= size);
	/* Put together again it means the same, where no NUL has cut it. */
	struct buf whole = BUF_INIT(size + 2);
	buf_append_format(&whole, "%s:%s", target.transport, target.nexthop);
	route_target_parse(buf_span(&whole), &again);
	CHECK(memchr(data, '\0', size) != NULL ||
		(strcmp(target.transport, again.transport) == 0 &&
			strcmp(target.nexthop, again.nexthop) == 0));
	route_target_done(&again);
	route_target_done(&target);
	buf_done(&whole);
	return 0;
}
