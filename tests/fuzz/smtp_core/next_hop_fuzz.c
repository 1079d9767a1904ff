/* Next hops and TLS policies, which tables say: results lie within the input, and what is not
 * understood is no policy.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "smtp/tls_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_hop(struct span text, bool lmtp)
{
	struct next_hop hop;
	if (!next_hop_parse(text, lmtp, &hop))
		return;
	CHECK(hop.host.len > 0 && hop.text.ptr >= text.ptr &&
		hop.text.ptr + hop.text.len <= text.ptr + text.len);
	CHECK(hop.host.ptr >= hop.text.ptr &&
		hop.host.ptr + hop.host.len <= hop.text.ptr + hop.text.len);
	CHECK(!(hop.mx && (lmtp || hop.local)) && !(hop.local && hop.port != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_new(data, size);
	struct tls_policy policy = {.match = "", .servername = ""};
	struct problem problem;
	struct arena arena;
	check_hop(text, false);
	check_hop(text, true);
	arena_init(&arena, 65536);
	problem_init(&problem);
	if (tls_policy_parse(text, &arena, &policy, &problem))
		CHECK(policy.level <= TLS_LEVEL_SECURE && policy.servername != NULL);
	problem_done(&problem);
	arena_done(&arena);
	return 0;
}
