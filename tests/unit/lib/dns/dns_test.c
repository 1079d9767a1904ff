/* Resource data, and questions to a fake server on loopback.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "dns/rdata.h"
#include "dns/resolve.h"
#include "guard.h"
#include "helper.h"

static const char zone[] =
	"example.test MX 20 mx2.example.test\nexample.test MX 10 MX1.example.test\n"
	"mx1.example.test A 127.0.0.1\nmx1.example.test AAAA ::1\nmx2.example.test A 127.0.0.2\n"
	"null.test MX 0 .\nalias.test CNAME example.test\nloop.test CNAME loop.test\n"
	"broken.test SERVFAIL\nsilent.test TIMEOUT\nv4.test A 192.0.2.1\nempty.test TXT hello there\n"
	"bad.test RAWMX 000a05\nodd.test MX 10 a..b\n"
	"1.2.0.192.in-addr.arpa PTR v4.test\n2.2.0.192.in-addr.arpa PTR other.test\n"
	"other.test A 192.0.2.99\n";

static pid_t server;

static int start_server(void **state)
{
	(void)state;
	char servers[64];
	server = helper_start_dns(zone, servers);
	assert_int_equal(dns_open(servers, 0), 0);
	return task_loop_open();
}

static int stop_server(void **state)
{
	(void)state;
	dns_close();
	task_loop_close();
	helper_stop(server);
	return 0;
}

static struct arena arena;

static void run(void (*fn)(void *))
{
	arena_init(&arena, 1 << 20);
	assert_non_null(task_spawn("test", fn, NULL, 256 * 1024));
	assert_int_equal(task_loop_run(), 0);
	arena_done(&arena);
}

static task_time soon(void)
{
	return task_deadline(20000);
}

static void ask_mx(void *arg)
{
	(void)arg;
	static const struct {
		const char *domain;
		enum dns_status status;
		size_t count;
		bool null;
	} rows[] = {
		{"example.test", DNS_FOUND, 2, false},
		{"EXAMPLE.test.", DNS_FOUND, 2, false},
		{"alias.test", DNS_FOUND, 2, false},
		{"null.test", DNS_FOUND, 0, true},
		{"v4.test", DNS_NODATA, 0, false},
		{"missing.test", DNS_NXDOMAIN, 0, false},
		{"broken.test", DNS_TEMP, 0, false},
		{"bad.test", DNS_TEMP, 0, false},
		{"loop.test", DNS_TEMP, 0, false},
		{"a b", DNS_INVALID, 0, false},
		{"", DNS_INVALID, 0, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_mx_list list;
		dns_mx(span_from_cstr(rows[i].domain), soon(), &arena, &list);
		if (list.answer.status != rows[i].status || list.count != rows[i].count ||
			list.is_null != rows[i].null)
			fail_msg("%s: status %d count %zu null %d", rows[i].domain, list.answer.status,
				list.count, list.is_null);
		if (list.count == 2) {
			assert_true(span_equal(list.items[0].host, SPAN("mx1.example.test")));
			assert_int_equal(list.items[1].preference, 20);
		}
	}
}

static void test_mx(void **state)
{
	(void)state;
	run(ask_mx);
}

static void ask_addresses(void *arg)
{
	(void)arg;
	static const struct {
		const char *name;
		unsigned families;
		enum dns_status status;
		size_t count;
		const char *first;
	} rows[] = {
		{"mx1.example.test", DNS_IPV4 | DNS_IPV6, DNS_FOUND, 2, "127.0.0.1"},
		{"mx1.example.test", DNS_IPV6, DNS_FOUND, 1, "::1"},
		{"mx2.example.test", DNS_IPV6, DNS_NODATA, 0, ""},
		{"mx2.example.test", DNS_IPV4 | DNS_IPV6, DNS_FOUND, 1, "127.0.0.2"},
		{"missing.test", DNS_IPV4 | DNS_IPV6, DNS_NXDOMAIN, 0, ""},
		{"broken.test", DNS_IPV4, DNS_TEMP, 0, ""},
		{"192.0.2.7", DNS_IPV4, DNS_FOUND, 1, "192.0.2.7"},
		{"2001:db8::1", DNS_IPV4, DNS_FOUND, 1, "2001:db8::1"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dns_address_list list;
		dns_addresses(span_from_cstr(rows[i].name), rows[i].families, soon(), &arena, &list);
		if (list.answer.status != rows[i].status || list.count != rows[i].count)
			fail_msg("%s: status %d count %zu", rows[i].name, list.answer.status, list.count);
		if (list.count > 0)
			assert_string_equal(list.items[0].text, rows[i].first);
	}
}

static void test_addresses(void **state)
{
	(void)state;
	run(ask_addresses);
}

static void ask_names(void *arg)
{
	(void)arg;
	struct span name, reverse;
	struct dns_name_list list;
	assert_int_equal(
		dns_client_name(SPAN("192.0.2.1"), soon(), &arena, &name, &reverse), DNS_FOUND);
	assert_true(span_equal(name, SPAN("v4.test")));
	assert_int_equal(dns_client_name(SPAN("192.0.2.2"), soon(), &arena, &name, &reverse),
		DNS_NXDOMAIN);
	assert_true(span_is_empty(name) && span_equal(reverse, SPAN("other.test")));
	assert_int_equal(dns_client_name(SPAN("192.0.2.3"), soon(), &arena, &name, &reverse),
		DNS_NXDOMAIN);
	dns_txt(SPAN("empty.test"), soon(), &arena, &list);
	assert_true(list.count == 1 && span_equal(list.items[0], SPAN("hello there")));
	dns_ptr(SPAN("nonsense"), soon(), &arena, &list);
	assert_int_equal(list.answer.status, DNS_INVALID);
}

static void test_names(void **state)
{
	(void)state;
	run(ask_names);
}

static void ask_silent(void *arg)
{
	(void)arg;
	struct dns_mx_list list;
	task_time before = task_now();
	dns_mx(SPAN("silent.test"), task_deadline(300), &arena, &list);
	assert_int_equal(list.answer.status, DNS_TEMP);
	assert_true(task_now() - before < 5000);
}

static void test_deadline(void **state)
{
	(void)state;
	run(ask_silent);
}

static void test_rdata(void **state)
{
	(void)state;
	static const struct {
		struct span rdata;
		const char *name; /* NULL: refused */
	} rows[] = {
		{SPAN("\1a\2bc\0"), "a.bc"}, {SPAN("\0"), ""}, {SPAN("\1a"), NULL}, {SPAN("\5a\0"), NULL},
		{SPAN("\1a\0\0"), NULL}, {SPAN(""), NULL}, {SPAN("\1.\0"), NULL}, {SPAN("\1\n\0"), NULL},
		{SPAN("\300\1"), NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct guard guard;
		struct buf out = BUF_INIT(300);
		bool good = dns_rdata_name(guard_copy(&guard, rows[i].rdata), &out);
		assert_int_equal(good, rows[i].name != NULL);
		if (good)
			assert_string_equal(buf_cstr(&out), rows[i].name);
		buf_done(&out);
		guard_free(&guard);
	}
	struct buf out = BUF_INIT(300);
	uint16_t preference;
	assert_false(dns_rdata_mx(SPAN("\0\1"), &preference, &out));
	assert_false(dns_rdata_mx(SPAN(""), &preference, &out));
	assert_true(dns_rdata_mx(SPAN("\1\2\1a\0"), &preference, &out) && preference == 258);
	buf_reset(&out);
	assert_true(dns_rdata_txt(SPAN("\2ab\0\1c"), &out));
	assert_string_equal(buf_cstr(&out), "abc");
	assert_false(dns_rdata_txt(SPAN("\3ab"), &out));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rdata), cmocka_unit_test(test_mx), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names), cmocka_unit_test(test_deadline),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
