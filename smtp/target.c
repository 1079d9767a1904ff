/* See target.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "dns/resolve.h"
#include "smtp/settings.h"

#define DNS_TIMEOUT_MS 60000
#define SMTP_PORT 25

struct search {
	const struct next_hop *hop;
	struct arena *arena;
	struct target_list *list;
	struct problem *problem;
	uint16_t port;
	bool doubtful; /* the problem is a name server's, and may be over later */
};

/* The text that goes into the log and the bounce, as Postfix words it. */
static void set_dns_problem(struct search *s, struct span name, const char *type,
	const struct dns_answer *answer)
{
	const char *dsn = answer->status == DNS_TEMP ? "4.4.3" : "5.4.4";
	/* One host that is not known for certain to be missing is reason enough to wait. */
	if (s->doubtful && answer->status != DNS_TEMP)
		return;
	s->doubtful = answer->status == DNS_TEMP;
	problem_set(s->problem, dsn,
		"Host or domain name not found. Name service error for name=%.*s type=%s: %s",
		SPAN_ARGS(name), type, answer->reason);
}

static bool add_target(struct search *s, struct span host, const char *text, uint16_t preference)
{
	struct target target = {.host = host, .preference = preference, .port = s->port};
	if (s->list->count >= TARGETS_MAX ||
		!address_parse_ip(span_from_cstr(text), s->port, &target.address))
		return false;
	target.text = arena_dup(s->arena, span_from_cstr(text));
	if (s->arena->overflow)
		return false;
	s->list->items[s->list->count++] = target;
	return true;
}

/* All addresses of one host. What goes wrong stands in the problem afterwards. */
static void add_host(struct search *s, struct span host, uint16_t preference)
{
	struct dns_address_list addresses;
	dns_addresses(host, settings.families, task_deadline(DNS_TIMEOUT_MS), s->arena, &addresses);
	for (size_t i = 0; i < addresses.count; i++)
		add_target(s, host, addresses.items[i].text, preference);
	if (addresses.count == 0)
		set_dns_problem(s, host, settings.families == DNS_IPV6 ? "AAAA" : "A",
			&addresses.answer);
}

static uint32_t random_below(uint32_t limit)
{
	uint32_t value = 0;
	if (getrandom(&value, sizeof value, 0) != (ssize_t)sizeof value)
		value = (uint32_t)task_now();
	return value % limit;
}

static void swap(struct target *a, struct target *b)
{
	struct target keep = *a;
	*a = *b;
	*b = keep;
}

/* Family wanted first among targets of one preference. */
static void prefer_family(struct target *items, size_t count, sa_family_t family)
{
	size_t place = 0;
	for (size_t i = 0; i < count; i++) {
		if (items[i].address.any.sa_family != family)
			continue;
		for (size_t j = i; j > place; j--)
			swap(&items[j], &items[j - 1]);
		place++;
	}
}

static void order_group(struct target *items, size_t count)
{
	struct span preference = span_from_cstr(settings.address_preference);
	if (settings.randomize_addresses)
		for (size_t i = count; i > 1; i--)
			swap(&items[i - 1], &items[random_below((uint32_t)i)]);
	if (span_equal_nocase(preference, SPAN("ipv4")))
		prefer_family(items, count, AF_INET);
	else if (span_equal_nocase(preference, SPAN("ipv6")))
		prefer_family(items, count, AF_INET6);
}

/* Targets stand by preference already; equals are shuffled. */
static void order(struct target_list *list)
{
	size_t start = 0;
	for (size_t i = 1; i <= list->count; i++) {
		if (i < list->count && list->items[i].preference == list->items[start].preference)
			continue;
		order_group(list->items + start, i - start);
		start = i;
	}
}

/* Not all places of a cut list may go to one family: the first of the other takes the last place.
 * */
static void balance(struct target_list *list, size_t limit)
{
	if (!settings.balance_protocols || limit < 2 || list->count <= limit)
		return;
	sa_family_t family = list->items[0].address.any.sa_family;
	for (size_t i = 1; i < limit; i++)
		if (list->items[i].address.any.sa_family != family)
			return;
	for (size_t i = limit; i < list->count; i++) {
		if (list->items[i].address.any.sa_family != family) {
			list->items[limit - 1] = list->items[i];
			return;
		}
	}
}

static void finish(struct search *s)
{
	struct target_list *list = s->list;
	order(list);
	if (settings.mx_address_limit > 0) {
		balance(list, (size_t)settings.mx_address_limit);
		if (list->count > (size_t)settings.mx_address_limit)
			list->count = (size_t)settings.mx_address_limit;
	}
	for (size_t i = 0; i < list->count; i++)
		list->items[i].best_mx = list->items[i].preference == list->items[0].preference;
}

/* When one of the exchangers is this host, only better ones may be used (RFC 5321 section 5.1):
 * else mail would go in circles. True when there is none left. best: the preference of the best
 * exchanger, whether it has addresses or not. */
static bool loops_back(struct search *s, uint16_t best)
{
	struct target_list *list = s->list;
	if (s->port != SMTP_PORT)
		return false;
	bool best_is_missing = list->items[0].preference != best;
	for (size_t i = 0; i < list->count; i++) {
		if (!own_addresses_have(&settings.own, &list->items[i].address))
			continue;
		size_t keep = 0;
		while (list->items[keep].preference < list->items[i].preference)
			keep++;
		list->count = keep;
		break;
	}
	if (list->count > 0)
		return false;
	if (best_is_missing) {
		problem_set(s->problem, "4.4.4", "unable to find primary relay for %.*s",
			SPAN_ARGS(s->hop->host));
		return true;
	}
	problem_set(
		s->problem, "5.4.6", "mail for %.*s loops back to myself", SPAN_ARGS(s->hop->host));
	return true;
}

static bool find_addresses(struct search *s)
{
	add_host(s, s->hop->host, 0);
	if (s->list->count == 0)
		return false;
	if (!s->hop->mx)
		return true;
	return !loops_back(s, 0);
}

static bool find_mx(struct search *s)
{
	struct dns_mx_list mx;
	dns_mx(s->hop->host, task_deadline(DNS_TIMEOUT_MS), s->arena, &mx);
	if (mx.is_null) {
		problem_set(s->problem, "5.1.10", "Domain %.*s does not accept mail (nullMX)",
			SPAN_ARGS(s->hop->host));
		return false;
	}
	if (mx.answer.status == DNS_NODATA)
		return find_addresses(s);
	if (mx.answer.status != DNS_FOUND) {
		set_dns_problem(s, s->hop->host, "MX", &mx.answer);
		return false;
	}
	for (size_t i = 0; i < mx.count; i++)
		add_host(s, mx.items[i].host, mx.items[i].preference);
	if (s->list->count > 0)
		return !loops_back(s, mx.items[0].preference);
	log_warning(
		NULL, "no MX host for %.*s has a valid address record", SPAN_ARGS(s->hop->host));
	if (settings.defer_if_no_mx_address)
		problem_soften(s->problem);
	return false;
}

static bool find_socket(struct search *s)
{
	struct target *target = &s->list->items[0];
	struct buf path = BUF_INIT(4096);
	if (s->hop->host.ptr[0] != '/')
		buf_append_format(&path, "%s/", settings.queue_directory);
	buf_append(&path, s->hop->host);
	*target =
		(struct target){.host = span_from_cstr(settings.myhostname), .text = s->hop->host};
	bool good = address_from_path(buf_cstr(&path), &target->address) == 0;
	if (!good)
		problem_set(s->problem, "4.3.5", "connect to %.*s: path too long",
			SPAN_ARGS(s->hop->host));
	s->list->count = good ? 1 : 0;
	buf_done(&path);
	return good;
}

bool target_find(const struct next_hop *hop, struct arena *arena, struct target_list *ret_list,
	struct problem *problem)
{
	struct search s = {.hop = hop, .arena = arena, .list = ret_list, .problem = problem,
		.port = hop->port != 0 ? hop->port : settings.port};
	*ret_list = (struct target_list){ARENA_ARRAY(arena, struct target, TARGETS_MAX), 0};
	if (ret_list->items == NULL) {
		problem_set(problem, "4.3.0", "out of memory");
		return false;
	}
	if (hop->local)
		return find_socket(&s);
	bool found = hop->mx && !settings.disable_dns_lookups ? find_mx(&s) : find_addresses(&s);
	if (found)
		finish(&s);
	else
		ret_list->count = 0;
	return found;
}
