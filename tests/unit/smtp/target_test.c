/* Next hops, where they lead, loops, TLS policies, delays of the log line.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "dns/resolve.h"
#include "helper.h"
#include "service/delivery_log.h"
#include "smtp/next_hop.h"
#include "smtp/settings.h"
#include "smtp/target.h"
#include "smtp/tls_policy.h"

static const char zone[] =
	"own.test MX 10 here.test\nown.test MX 20 far.test\nhere.test A 192.0.2.1\nfar.test A 192.0.2.2\n"
	"backup.test MX 10 far.test\nbackup.test MX 20 here.test\nbackup.test MX 30 other.test\n"
	"other.test A 192.0.2.3\nboth.test A 192.0.2.4\nboth.test AAAA 2001:db8::1\n"
	"many.test A 192.0.2.11\nmany.test A 192.0.2.12\nmany.test A 192.0.2.13\nmany.test AAAA 2001:db8::2\n"
	"equal.test MX 10 a.equal.test\nequal.test MX 10 b.equal.test\nequal.test MX 5 first.equal.test\n"
	"a.equal.test A 192.0.2.21\nb.equal.test A 192.0.2.22\nfirst.equal.test A 192.0.2.23\n"
	"fails.test SERVFAIL\nprimary.test MX 10 fails.test\nprimary.test MX 20 here.test\n"
	"mixed.test MX 10 fails.test\nmixed.test MX 20 nothing.test\n";

static pid_t server;
static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	char servers[64];
	server = helper_start_dns(zone, servers);
	assert_int_equal(dns_open(servers, 0), 0);
	return task_loop_open();
}

static int tear_down(void **state)
{
	(void)state;
	dns_close();
	task_loop_close();
	helper_stop(server);
	return 0;
}

static void test_next_hops(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool lmtp, good;
		const char *host;
		uint16_t port;
		bool mx, local;
	} rows[] = {
		{"example.com", false, true, "example.com", 0, true, false},
		{"example.com:587", false, true, "example.com", 587, true, false},
		{"example.com:submission", false, true, "example.com", 587, true, false},
		{"[mx.example.com]", false, true, "mx.example.com", 0, false, false},
		{"[192.0.2.1]:2525", false, true, "192.0.2.1", 2525, false, false},
		{"[2001:db8::1]:25", false, true, "2001:db8::1", 25, false, false},
		{"[IPv6:2001:db8::1]", false, true, "2001:db8::1", 0, false, false},
		{"inet:host:24", true, true, "host", 24, false, false},
		{"host", true, true, "host", 0, false, false},
		{"unix:/run/lmtp", true, true, "/run/lmtp", 0, false, true},
		{"", false, false, "", 0, false, false}, {"[", false, false, "", 0, false, false},
		{"[]", false, false, "", 0, false, false}, {"[a", false, false, "", 0, false, false},
		{"[a]x", false, false, "", 0, false, false}, {"[a]:", false, false, "", 0, false, false},
		{"a:0", false, false, "", 0, false, false}, {"a:65536", false, false, "", 0, false, false},
		{":25", false, false, "", 0, false, false}, {"unix:", true, false, "", 0, false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct next_hop hop;
		bool good = next_hop_parse(span_from_cstr(rows[i].text), rows[i].lmtp, &hop);
		if (good != rows[i].good)
			fail_msg("%s: %d", rows[i].text, good);
		if (!good)
			continue;
		assert_true(span_equal(hop.host, span_from_cstr(rows[i].host)));
		assert_int_equal(hop.port, rows[i].port);
		assert_true(hop.mx == rows[i].mx && hop.local == rows[i].local);
	}
}

static void find_targets(void *arg)
{
	(void)arg;
	static const struct {
		/* dsn: NULL when found; targets: a pattern, since name servers rotate equals */
		const char *hop, *preference, *dsn, *targets;
		int64_t limit;
	} rows[] = {
		{"own.test", "any", "5.4.6", "", 5},
		{"own.test:26", "any", NULL, "192.0.2.1 192.0.2.2", 5},
		{"backup.test", "any", NULL, "192.0.2.2", 5},
		{"here.test", "any", "5.4.6", "", 5},
		{"[here.test]", "any", NULL, "192.0.2.1", 5},
		{"[both.test]", "ipv6", NULL, "2001:db8::1 192.0.2.4", 5},
		{"[both.test]", "ipv4", NULL, "192.0.2.4 2001:db8::1", 5},
		{"[many.test]", "ipv4", NULL, "192.0.2.1? 2001:db8::2", 2},
		{"equal.test", "any", NULL, "192.0.2.23 192.0.2.2[12] 192.0.2.2[12]", 5},
		{"[192.0.2.9]", "any", NULL, "192.0.2.9", 5},
		{"nothing.test", "any", "5.4.4", "", 5},
		/* A backup whose primary cannot be found keeps the mail. */
		{"primary.test", "any", "4.4.4", "", 5},
		{"mixed.test", "any", "4.4.3", "", 5},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct next_hop hop;
		struct target_list list;
		struct problem problem;
		struct buf text = BUF_INIT(1000);
		problem_init(&problem);
		settings.address_preference = rows[i].preference;
		settings.mx_address_limit = rows[i].limit;
		assert_true(next_hop_parse(span_from_cstr(rows[i].hop), false, &hop));
		bool found = target_find(&hop, &arena, &list, &problem);
		for (size_t j = 0; found && j < list.count; j++)
			buf_append_format(&text, "%s%.*s", j > 0 ? " " : "", SPAN_ARGS(list.items[j].text));
		if (found != (rows[i].dsn == NULL) ||
			fnmatch(rows[i].targets, buf_cstr(&text), 0) != 0 ||
			(!found && strcmp(problem.dsn, rows[i].dsn) != 0))
			fail_msg("%s: %d '%s' %s %s", rows[i].hop, found, buf_cstr(&text), problem.dsn,
				buf_cstr(&problem.text));
		buf_done(&text);
		problem_done(&problem);
	}
}

static void test_targets(void **state)
{
	(void)state;
	settings = (struct smtp_settings){.families = DNS_IPV4 | DNS_IPV6, .port = 25,
		.balance_protocols = true, .myhostname = "here.test", .queue_directory = "/"};
	assert_int_equal(own_addresses_add(&settings.own, SPAN("192.0.2.1")), 0);
	arena_init(&arena, 4 << 20);
	assert_non_null(task_spawn("test", find_targets, NULL, 256 * 1024));
	assert_int_equal(task_loop_run(), 0);
	own_addresses_done(&settings.own);
	arena_done(&arena);
}

static void test_levels(void **state)
{
	(void)state;
	enum tls_level level;
	assert_true(tls_level_parse(SPAN("Secure"), &level) && level == TLS_LEVEL_SECURE);
	assert_false(tls_level_parse(SPAN("dane-only"), &level));
	assert_false(tls_level_parse(SPAN(""), &level));
}

static void test_delays(void **state)
{
	(void)state;
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {{0, "0"}, {-5, "0"}, {4, "0"}, {5, "0.01"}, {50, "0.05"}, {123, "0.12"},
		{500, "0.5"}, {994, "0.99"}, {996, "1"}, {1000, "1"}, {1234, "1.2"}, {9960, "10"},
		{12345, "12"}, {600000, "600"}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(30);
		delivery_delay_format(rows[i].ms, &out);
		assert_string_equal(buf_cstr(&out), rows[i].text);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_hops), cmocka_unit_test(test_targets),
		cmocka_unit_test(test_levels), cmocka_unit_test(test_delays),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
