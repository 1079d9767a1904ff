/* See tls_policy.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/tls_policy.h"

#include "base/check.h"
#include "smtp/settings.h"

#define VALUE_MAX 4096

bool tls_level_parse(struct span name, enum tls_level *ret_level)
{
	static const struct {
		const char *name;
		enum tls_level level;
	} levels[] = {
		{"none", TLS_LEVEL_NONE}, {"may", TLS_LEVEL_MAY}, {"encrypt", TLS_LEVEL_ENCRYPT},
		{"fingerprint", TLS_LEVEL_FINGERPRINT}, {"verify", TLS_LEVEL_VERIFY},
		{"secure", TLS_LEVEL_SECURE},
		/* Without TLSA look-ups these are what they fall back to. */
		{"dane", TLS_LEVEL_MAY}, {"half-dane", TLS_LEVEL_MAY},
	};
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (span_equal_nocase(name, span_from_cstr(levels[i].name))) {
			*ret_level = levels[i].level;
			return true;
		}
	}
	return false;
}

static const char *default_match(enum tls_level level)
{
	switch (level) {
	case TLS_LEVEL_FINGERPRINT:
		return settings.tls_fingerprint_match;
	case TLS_LEVEL_VERIFY:
		return settings.tls_verify_match;
	case TLS_LEVEL_SECURE:
		return settings.tls_secure_match;
	case TLS_LEVEL_NONE:
	case TLS_LEVEL_MAY:
	case TLS_LEVEL_ENCRYPT:
		break;
	}
	return "";
}

static bool default_policy(struct tls_policy *policy, struct problem *problem)
{
	struct span level = span_trim(span_from_cstr(settings.tls_level));
	if (level.len == 0)
		policy->level = settings.enforce_tls ? TLS_LEVEL_VERIFY :
			settings.use_tls	     ? TLS_LEVEL_MAY :
						       TLS_LEVEL_NONE;
	else if (!tls_level_parse(level, &policy->level)) {
		problem_set(problem, "4.7.5", "client TLS configuration problem: unknown level %s",
			settings.tls_level);
		return false;
	}
	policy->match = default_match(policy->level);
	return true;
}

/* What is not understood is no policy at all, so mail waits. */
bool tls_policy_parse(struct span value, struct arena *arena, struct tls_policy *policy,
	struct problem *problem)
{
	struct span rest = value, word;
	bool good = span_token(&rest, ", \t\r\n", &word) && tls_level_parse(word, &policy->level);
	policy->match = default_match(policy->level);
	while (good && span_token(&rest, ", \t\r\n", &word)) {
		struct span text = word;
		struct span name = span_split(&text, '=');
		const char *copy = text.ptr == NULL ? NULL : arena_dup_cstr(arena, text);
		if (copy == NULL)
			good = false;
		else if (span_equal(name, SPAN("match")))
			policy->match = copy;
		else if (span_equal(name, SPAN("servername")))
			policy->servername = copy;
		else
			good = false;
	}
	if (!good)
		problem_set(problem, "4.7.5", "client TLS configuration problem: policy \"%.*s\"",
			SPAN_ARGS(span_head(value, 100)));
	return good;
}

/* The next hop as written, then the parents of its domain as ".example.com". */
static enum map_result ask_table(const struct next_hop *hop, struct buf *value)
{
	enum map_result result = map_list_lookup(settings.tls_policies, hop->text, value);
	if (result != MAP_NOT_FOUND || hop->local)
		return result;
	if (!span_equal(hop->host, hop->text) && hop->mx)
		result = map_list_lookup(settings.tls_policies, hop->host, value);
	struct span parent = hop->host;
	while (result == MAP_NOT_FOUND) {
		size_t dot = span_find_char(span_skip(parent, 1), '.');
		if (dot == SIZE_MAX || hop->text.ptr[0] == '[')
			break;
		parent = span_skip(parent, dot + 1);
		result = map_list_lookup(settings.tls_policies, parent, value);
	}
	return result;
}

bool tls_policy_find(const struct next_hop *hop, struct arena *arena, struct tls_policy *ret_policy,
	struct problem *problem)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	struct tls_policy policy = {.match = "", .servername = settings.tls_servername};
	bool good = true;
	enum map_result result = map_list_is_empty(settings.tls_policies) ? MAP_NOT_FOUND :
									    ask_table(hop, &value);
	if (result == MAP_ERROR) {
		problem_set(problem, "4.3.0", "client TLS policy table lookup problem for %.*s",
			SPAN_ARGS(hop->text));
		good = false;
	} else if (result == MAP_FOUND) {
		good = tls_policy_parse(buf_span(&value), arena, &policy, problem);
	} else {
		good = default_policy(&policy, problem);
	}
	buf_done(&value);
	if (good && settings.tls_wrappermode && policy.level < TLS_LEVEL_ENCRYPT) {
		problem_set(problem, "4.7.5", "client TLS configuration problem: wrappermode needs "
					      "security level encrypt or stronger");
		good = false;
	}
	if (good)
		*ret_policy = policy;
	return good;
}
