/* Address classes, relay control, recipient validation, transports: the tables of Postfix's rules.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "base/check.h"
#include "route/address_lookup.h"
#include "route/route.h"

static const char *const base_conf =
	"compatibility_level = 3.6\n"
	"myhostname = mail.example.com\n"
	"mydomain = example.com\n"
	"myorigin = example.com\n"
	"mydestination = example.com, localhost, b\xc3\xbc" "cher.example\n"
	"inet_interfaces = 127.0.0.1\n"
	"proxy_interfaces = 192.0.2.9\n"
	"recipient_delimiter = +\n"
	"alias_maps =\n"
	"auth_user_maps =\n"
	"local_recipient_maps = inline:{ ann=1, bob=1 }\n"
	"virtual_alias_domains = alias.example, xn--caf-dma.example\n"
	"virtual_alias_maps = inline:{ one@alias.example=ann, @all.alias.example=ann, "
	"tagged+x@alias.example=bob, ann@caf\xc3\xa9.example=bob }\n"
	"virtual_mailbox_domains = box.example\n"
	"virtual_mailbox_maps = inline:{ ann@box.example=ann/ }\n"
	"relay_domains = relay.example, other.example\n"
	"relay_recipient_maps = inline:{ @other.example=1, ann@relay.example=1 }\n";

static struct route *open_route(const char *more, struct conf **ret_conf)
{
	struct buf text = BUF_INIT(65536);
	char *error = NULL;
	buf_append_cstr(&text, base_conf);
	buf_append_cstr(&text, more);
	*ret_conf = conf_parse("/nowhere", "test", buf_span(&text), &error);
	buf_done(&text);
	if (*ret_conf == NULL)
		fail_msg("%s", error);
	struct route *route = route_open(*ret_conf, &error);
	if (route == NULL)
		fail_msg("%s", error);
	return route;
}

static void close_route(struct route *route, struct conf *conf)
{
	route_close(route);
	conf_free(conf);
}

static void test_class_and_relay(void **state)
{
	(void)state;
	static const struct {
		const char *name, *address;
		enum route_class class;
		enum map_result ours;
	} rows[] = {
		{"a local domain", "ann@example.com", ROUTE_LOCAL, MAP_FOUND},
		{"case of the domain", "ann@EXAMPLE.Com", ROUTE_LOCAL, MAP_FOUND},
		{"a trailing dot", "ann@example.com.", ROUTE_LOCAL, MAP_FOUND},
		{"two trailing dots", "ann@example.com..", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"no domain", "ann", ROUTE_LOCAL, MAP_FOUND},
		{"an empty domain", "ann@", ROUTE_LOCAL, MAP_FOUND},
		{"our address", "ann@[127.0.0.1]", ROUTE_LOCAL, MAP_FOUND},
		{"our address behind a proxy", "ann@[192.0.2.9]", ROUTE_LOCAL, MAP_FOUND},
		{"another's address", "ann@[192.0.2.8]", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"an IPv6 address not ours", "u@[IPv6:2001:db8::1]", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"an address with a zone", "u@[127.0.0.1%25lo]", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"an address as a number", "u@2130706433", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"a virtual alias domain", "x@alias.example", ROUTE_VIRTUAL_ALIAS, MAP_FOUND},
		{"a virtual mailbox domain", "x@box.example", ROUTE_VIRTUAL_MAILBOX, MAP_FOUND},
		{"a relay domain", "x@relay.example", ROUTE_RELAY, MAP_FOUND},
		{"below a relay domain", "x@sub.relay.example", ROUTE_RELAY, MAP_FOUND},
		{"below a local domain", "x@sub.example.com", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"beside a local domain", "x@evilexample.com", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"a local domain as a label", "x@example.com.victim.test", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"a stranger", "x@victim.test", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"U-labels, listed so", "ann@b\xc3\xbc" "cher.example", ROUTE_LOCAL, MAP_FOUND},
		{"A-labels, listed as U-labels", "ann@XN--bcher-kva.example", ROUTE_LOCAL, MAP_FOUND},
		{"U-labels, listed as A-labels", "x@caf\xc3\xa9.example", ROUTE_VIRTUAL_ALIAS, MAP_FOUND},
		{"A-labels, listed so", "x@xn--caf-dma.example", ROUTE_VIRTUAL_ALIAS, MAP_FOUND},
		{"A-labels of another", "x@xn--cafe-dma.example", ROUTE_DEFAULT, MAP_NOT_FOUND},
		/* routes through us: relay test forms */
		{"u%V@L", "u%victim.test@example.com", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"u%V@[I]", "u%victim.test@[127.0.0.1]", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"u%V", "u%victim.test", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"V!u", "victim.test!u", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"V!u@L", "victim.test!u@example.com", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"L!V!u", "example.com!victim.test!u", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"u@V@L", "u@victim.test@example.com", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"u@V@[I]", "u@victim.test@[127.0.0.1]", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"u%V%L", "u%victim.test%example.com", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"u%V@L@L", "u%victim.test@example.com@example.com", ROUTE_DEFAULT, MAP_NOT_FOUND},
		{"u%V@relay", "u%victim.test@relay.example", ROUTE_RELAY, MAP_NOT_FOUND},
		{"u@V@relay", "u@victim.test@relay.example", ROUTE_RELAY, MAP_NOT_FOUND},
		{"V!u@box", "victim.test!u@box.example", ROUTE_VIRTUAL_MAILBOX, MAP_NOT_FOUND},
		{"a route to ourselves", "ann%example.com@localhost", ROUTE_LOCAL, MAP_FOUND},
		{"only the sign", "@", ROUTE_LOCAL, MAP_FOUND},
	};
	struct conf *conf;
	struct route *route = open_route("", &conf);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum route_class class = ROUTE_DEFAULT;
		assert_true(route_class(route, span_from_cstr(rows[i].address), &class));
		if (class != rows[i].class)
			fail_msg("%s: %s", rows[i].name, route_class_name(class));
		if (route_is_ours(route, span_from_cstr(rows[i].address)) != rows[i].ours)
			fail_msg("%s: ours or not", rows[i].name);
	}
	close_route(route, conf);
}

static void test_a_long_chain_of_routes_ends(void **state)
{
	(void)state;
	struct conf *conf;
	struct route *route = open_route("", &conf);
	struct buf address = BUF_INIT(8192);
	buf_append_cstr(&address, "u");
	for (int i = 0; i < 300; i++)
		buf_append_cstr(&address, "%localhost");
	enum route_class class;
	assert_true(route_class(route, buf_span(&address), &class));
	assert_int_equal(route_is_ours(route, buf_span(&address)), MAP_NOT_FOUND);
	buf_done(&address);
	close_route(route, conf);
}

static void test_relay_domains_without_subdomains(void **state)
{
	(void)state;
	struct conf *conf;
	struct route *route = open_route("parent_domain_matches_subdomains =\n", &conf);
	assert_int_equal(route_is_ours(route, SPAN("x@sub.relay.example")), MAP_NOT_FOUND);
	assert_int_equal(route_is_ours(route, SPAN("x@relay.example")), MAP_FOUND);
	close_route(route, conf);
}

static void test_recipients(void **state)
{
	(void)state;
	static const struct {
		const char *name, *address, *more;
		enum map_result result;
		const char *dsn, *text;
	} rows[] = {
		{"known user", "ann@example.com", "", MAP_FOUND, "5.1.1", ""},
		{"known user with extension", "ann+x@example.com", "", MAP_FOUND, "5.1.1", ""},
		{"unknown user", "zoe@example.com", "", MAP_NOT_FOUND, "5.1.1",
			"User unknown in local recipient table"},
		{"unknown user at our address", "zoe@[127.0.0.1]", "", MAP_NOT_FOUND, "5.1.1",
			"User unknown in local recipient table"},
		{"no local table", "zoe@example.com", "local_recipient_maps =\n", MAP_FOUND, "5.1.1", ""},
		{"virtual alias", "one@alias.example", "", MAP_FOUND, "5.1.1", ""},
		{"virtual alias that keeps its extension", "tagged+x@alias.example", "", MAP_FOUND,
			"5.1.1", ""},
		{"virtual alias with an extension", "one+y@alias.example", "", MAP_FOUND, "5.1.1", ""},
		{"unknown virtual alias", "tagged@alias.example", "", MAP_NOT_FOUND, "5.1.1",
			"User unknown in virtual alias table"},
		{"mailbox", "ann@box.example", "", MAP_FOUND, "5.1.1", ""},
		{"unknown mailbox", "bob@box.example", "", MAP_NOT_FOUND, "5.1.1",
			"User unknown in virtual mailbox table"},
		{"relay recipient", "ann@relay.example", "", MAP_FOUND, "5.1.1", ""},
		{"relay domain that takes all", "zoe@other.example", "", MAP_FOUND, "5.1.1", ""},
		{"unknown relay recipient", "bob@relay.example", "", MAP_NOT_FOUND, "5.1.1",
			"User unknown in relay recipient table"},
		{"a stranger", "x@victim.test", "", MAP_FOUND, "5.1.1", ""},
		{"no table names", "zoe@example.com", "show_user_unknown_table_name = no\n",
			MAP_NOT_FOUND, "5.1.1", "User unknown"},
		{"transport error", "x@victim.test",
			"transport_maps = inline:{ {victim.test = error:5.7.9 go away} }\n", MAP_NOT_FOUND,
			"5.7.9", "go away"},
		{"transport error without text", "x@victim.test",
			"transport_maps = inline:{ {victim.test = error:} }\n", MAP_NOT_FOUND, "5.1.1",
			"Address is undeliverable"},
		{"the table cannot be asked", "zoe@example.com",
			"local_recipient_maps = lmdb:/nonexistent/table\n", MAP_ERROR, "4.3.0",
			"Temporary lookup failure"},
		{"the alias table cannot be asked", "zoe@example.com",
			"virtual_alias_maps = lmdb:/nonexistent/table\n", MAP_ERROR, "4.3.0",
			"Temporary lookup failure"},
		{"the domain table cannot be asked", "zoe@victim.test",
			"relay_domains = lmdb:/nonexistent/table\n", MAP_ERROR, "4.3.0",
			"Temporary lookup failure"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf *conf;
		struct route *route = open_route(rows[i].more, &conf);
		struct route_verdict verdict;
		route_validate_recipient(route, span_from_cstr(rows[i].address), &verdict);
		if (verdict.result != rows[i].result || strcmp(verdict.dsn, rows[i].dsn) != 0 ||
			strcmp(verdict.text, rows[i].text) != 0)
			fail_msg("%s: %d %s %s", rows[i].name, verdict.result, verdict.dsn,
				verdict.text);
		close_route(route, conf);
	}
}

struct resolve_row {
	const char *name, *recipient, *sender, *more, *transport, *nexthop;
};

static void resolve_all(const struct resolve_row *rows, size_t count)
{
	struct route_result result;
	route_result_init(&result);
	for (size_t i = 0; i < count; i++) {
		struct conf *conf;
		struct route *route = open_route(rows[i].more, &conf);
		if (!route_resolve(route, span_from_cstr(rows[i].recipient),
			span_from_cstr(rows[i].sender), &result))
			fail_msg("%s: error", rows[i].name);
		if (strcmp(buf_cstr(&result.transport), rows[i].transport) != 0 ||
			strcmp(buf_cstr(&result.nexthop), rows[i].nexthop) != 0)
			fail_msg("%s: %s:%s", rows[i].name, buf_cstr(&result.transport),
				buf_cstr(&result.nexthop));
		close_route(route, conf);
	}
	route_result_done(&result);
}

static void test_resolve(void **state)
{
	(void)state;
	static const struct resolve_row rows[] = {
		{"local", "ann@example.com", "s@x.test", "", "local", "mail.example.com"},
		{"no domain", "ann", "s@x.test", "", "local", "mail.example.com"},
		{"the null recipient", "", "s@x.test", "mydestination = mail.example.com\n", "local",
			"mail.example.com"},
		{"virtual alias domain", "u@alias.example", "s@x.test", "", "error",
			"5.1.1 User unknown in virtual alias table"},
		{"virtual mailbox", "ann@box.example", "s@x.test", "", "virtual", "box.example"},
		{"relay", "ann@relay.example", "s@x.test", "", "relay", "relay.example"},
		{"default", "u@Victim.Test", "s@x.test", "", "smtp", "victim.test"},
		{"relayhost", "u@victim.test", "s@x.test", "relayhost = [gw.example]:587\n", "smtp",
			"[gw.example]:587"},
		{"relayhost for relay domains", "ann@relay.example", "s@x.test",
			"relayhost = gw.example\n", "relay", "gw.example"},
		{"relayhost not for mailboxes", "ann@box.example", "s@x.test",
			"relayhost = gw.example\n", "virtual", "box.example"},
		{"own nexthop of the transport", "u@victim.test", "s@x.test",
			"relayhost = gw.example\ndefault_transport = smtp:fixed.example\n", "smtp",
			"fixed.example"},
		{"relayhost by sender", "u@victim.test", "S+t@x.test",
			"relayhost = gw.example\nsender_dependent_relayhost_maps = "
			"inline:{ s@x.test=[by.sender] }\n", "smtp", "[by.sender]"},
		{"relayhost by sender's domain", "u@victim.test", "s@x.test",
			"relayhost = gw.example\nsender_dependent_relayhost_maps = "
			"inline:{ @x.test=[by.domain] }\n", "smtp", "[by.domain]"},
		{"DUNNO keeps relayhost", "u@victim.test", "s@x.test",
			"relayhost = gw.example\nsender_dependent_relayhost_maps = "
			"inline:{ s@x.test=DUNNO }\n", "smtp", "gw.example"},
		{"relayhost of the null sender", "u@victim.test", "",
			"sender_dependent_relayhost_maps = inline:{ <>=[null.gw] }\n", "smtp",
			"[null.gw]"},
		{"default transport by sender", "u@victim.test", "s@x.test",
			"sender_dependent_default_transport_maps = inline:{ @x.test=slow:way.example }\n",
			"slow", "way.example"},
		{"a route through us", "u%victim.test@example.com", "s@x.test", "", "smtp",
			"victim.test"},
	};
	resolve_all(rows, ARRAY_LEN(rows));
}

static void test_transport_maps(void **state)
{
	(void)state;
	static const struct resolve_row rows[] = {
		{"transport by address", "u+e@victim.test", "s@x.test",
			"transport_maps = inline:{ u+e@victim.test=a:1, u@victim.test=b:2, "
			"victim.test=c:3, *=d:4 }\n", "a", "1"},
		{"transport by bare address", "u+e@victim.test", "s@x.test",
			"transport_maps = inline:{ u@victim.test=b:2, victim.test=c:3, *=d:4 }\n", "b",
			"2"},
		{"transport by domain", "u@victim.test", "s@x.test",
			"transport_maps = inline:{ .test=e:5, victim.test=c:3, *=d:4 }\n", "c", "3"},
		{"transport by parent", "u@a.b.victim.test", "s@x.test",
			"transport_maps = inline:{ .victim.test=e:5, .test=f:6, *=d:4 }\n", "e", "5"},
		{"a domain is not its own parent", "u@victim.test", "s@x.test",
			"transport_maps = inline:{ .victim.test=e:5, *=d:4 }\n", "d", "4"},
		{"parents without the dot", "u@a.victim.test", "s@x.test",
			"parent_domain_matches_subdomains = transport_maps\n"
			"transport_maps = inline:{ victim.test=e:5 }\n", "e", "5"},
		{"wildcard", "u@victim.test", "s@x.test", "transport_maps = inline:{ *=d:4 }\n", "d",
			"4"},
		{"wildcard for local too", "ann@example.com", "s@x.test",
			"transport_maps = inline:{ *=d:4 }\n", "d", "4"},
		{"not for virtual alias domains", "u@alias.example", "s@x.test",
			"transport_maps = inline:{ *=d:4 }\n", "error",
			"5.1.1 User unknown in virtual alias table"},
		{"no change", "u@victim.test", "s@x.test",
			"relayhost = gw.example\ntransport_maps = inline:{ {victim.test = :}, *=d:4 }\n",
			"smtp", "gw.example"},
		{"transport alone resets the nexthop", "u@victim.test", "s@x.test",
			"relayhost = gw.example\ntransport_maps = inline:{ {victim.test = slow:} }\n",
			"slow", "victim.test"},
		{"nexthop alone keeps the transport", "u@victim.test", "s@x.test",
			"transport_maps = inline:{ {victim.test = :[gw.example]:25} }\n", "smtp",
			"[gw.example]:25"},
		{"a UNIX path keeps its case", "u@victim.test", "s@x.test",
			"transport_maps = inline:{ {victim.test = lmtp:unix:/Run/Box} }\n", "lmtp",
			"unix:/Run/Box"},
		{"a pattern sees the whole address", "u+e@victim.test", "s@x.test",
			"transport_maps = regexp:tests/unit/lib/route/transport.regexp\n",
			"whole", "3"},
	};
	resolve_all(rows, ARRAY_LEN(rows));
}

static void test_resolve_fails_when_a_table_does(void **state)
{
	(void)state;
	static const char *const settings[] = {
		"transport_maps = lmdb:/nonexistent/t\n",
		"sender_dependent_relayhost_maps = lmdb:/nonexistent/t\n",
		"sender_dependent_default_transport_maps = lmdb:/nonexistent/t\n",
		"virtual_mailbox_domains = lmdb:/nonexistent/t\n",
	};
	struct route_result result;
	route_result_init(&result);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		struct conf *conf;
		struct route *route = open_route(settings[i], &conf);
		assert_false(route_resolve(route, SPAN("u@victim.test"), SPAN("s@x.test"), &result));
		close_route(route, conf);
	}
	route_result_done(&result);
}

static void test_extensions(void **state)
{
	(void)state;
	static const struct {
		const char *local_part, *delimiters;
		size_t start;
	} rows[] = {
		{"user+ext", "+", 4},
		{"user", "+", SIZE_MAX},
		{"user+ext", "", SIZE_MAX},
		{"user-a+b", "+-", 4},
		{"user+a-b", "+-", 4},
		{"+ext", "+", SIZE_MAX},
		{"owner-list", "-", SIZE_MAX},
		{"list-request", "-", SIZE_MAX},
		{"list-x", "-", 4},
		{"mailer-daemon", "-", SIZE_MAX},
		{"double-bounce", "-", SIZE_MAX},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(address_extension_start(span_from_cstr(rows[i].local_part),
			span_from_cstr(rows[i].delimiters)) == rows[i].start);
}

static void test_virtual_alias_keys(void **state)
{
	(void)state;
	static const struct {
		const char *name, *table, *address, *value, *extension;
	} rows[] = {
		{"whole first", "u+e@d.test=1, u@d.test=2, @d.test=3", "u+e@d.test", "1", ""},
		{"then bare", "u@d.test=2, @d.test=3", "u+e@d.test", "2", "+e"},
		{"then the domain", "u+e=4, u=5, @d.test=3", "u+e@d.test", "3", ""},
		{"local: user and extension", "u+e=4, u=5, @example.com=3", "u+e@example.com", "4", ""},
		{"local: user", "u=5, @example.com=3", "u+e@example.com", "5", "+e"},
		{"our origin counts as local", "u=5", "u@example.com", "5", ""},
		{"case of the key", "u@d.test=2", "U@D.Test", "2", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf more = BUF_INIT(4096), value = BUF_INIT(4096);
		struct span extension = SPAN_EMPTY;
		struct conf *conf;
		buf_append_format(&more, "virtual_alias_maps = inline:{ %s }\n", rows[i].table);
		struct route *route = open_route(buf_cstr(&more), &conf);
		if (route_virtual_alias(route, span_from_cstr(rows[i].address), &value,
			&extension) != MAP_FOUND ||
			strcmp(buf_cstr(&value), rows[i].value) != 0 ||
			!span_equal(extension, span_from_cstr(rows[i].extension)))
			fail_msg("%s: %s", rows[i].name, buf_cstr(&value));
		close_route(route, conf);
		buf_done(&more);
		buf_done(&value);
	}
}

static void test_lookup_results(void **state)
{
	(void)state;
	static const struct {
		const char *result, *address, *extension, *full;
	} rows[] = {
		{"ann@x.test", "u+e@d.test", "+e", "ann+e@x.test"},
		{"ann", "u+e@d.test", "+e", "ann+e@example.com"},
		{"@x.test", "u+e@d.test", "+e", "u+e@x.test"},
		{"ann@x.test", "u@d.test", "", "ann@x.test"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT(1000);
		address_lookup_result(span_from_cstr(rows[i].result), span_from_cstr(rows[i].address),
			span_from_cstr(rows[i].extension), SPAN("example.com"), &out);
		assert_string_equal(buf_cstr(&out), rows[i].full);
		buf_done(&out);
	}
}

static void test_dsn_cut(void **state)
{
	(void)state;
	static const struct {
		const char *text, *dsn, *rest;
	} rows[] = {
		{"5.7.1 no", "5.7.1", "no"},
		{"no", "5.0.0", "no"},
		{"5.7 no", "5.0.0", "5.7 no"},
		{"5.7.1", "5.7.1", ""},
		{"5.7.1no", "5.0.0", "5.7.1no"},
		{"3.7.1 no", "5.0.0", "3.7.1 no"},
		{"5..71 no", "5.0.0", "5..71 no"},
		{"4.12.345 x y", "4.12.345", "x y"},
		{"", "5.0.0", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char dsn[12];
		struct span rest = route_cut_dsn(span_from_cstr(rows[i].text), "5.0.0", dsn);
		assert_string_equal(dsn, rows[i].dsn);
		assert_true(span_equal(rest, span_from_cstr(rows[i].rest)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_class_and_relay),
		cmocka_unit_test(test_a_long_chain_of_routes_ends),
		cmocka_unit_test(test_relay_domains_without_subdomains),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_transport_maps),
		cmocka_unit_test(test_resolve_fails_when_a_table_does),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_virtual_alias_keys),
		cmocka_unit_test(test_lookup_results),
		cmocka_unit_test(test_dsn_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
