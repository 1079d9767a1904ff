/* Whole deliveries: requests as qmgr sends them, over a channel, against tests/support/smtp_sink.py
 * and names from tests/support/fake_dns.py; outcomes, log lines and what the server saw.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

#define SENT {DELIVERY_SENT, "2.0.0", "250 2.0.0 Ok: queued as"}
#define HOST "[127.0.0.1]:%P"

/* Rows name only what they need. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
static const struct scenario scenarios[] = {
	{"plain delivery, dots and line ends", "", {"--rule", "NOOP=250 x"}, {NULL}, HOST,
		{"b@x.test"}, {SENT},
		"to=<b@x.test>, orig_to=<o+rig@x.test>, relay=127.0.0.1[127.0.0.1]:%P, delay=",
		"\\r\\n\\r\\n.dot\\r\\nline\\r\\n", "\"bare\": true"},
	{"without extensions: one command at a time, HELO", "",
		{"--extension", "", "--rule", "EHLO .*=500 5.5.1 what"}, {NULL}, HOST,
		{"b@x.test", "c@x.test"}, {SENT, SENT}, "status=sent (250 2.0.0 Ok: queued as A0)",
		"\"HELO client.test\"", "SIZE="},
	{"some recipients refused", "",
		{"--rule", "RCPT TO:<bad@.*=550 5.1.1 no\\nsuch user", "--rule",
			"RCPT TO:<slow@.*=450 4.2.1 later"},
		{NULL}, HOST, {"bad@x.test", "b@x.test", "slow@x.test"},
		{{DELIVERY_BOUNCED, "5.0.0",
			 "host 127.0.0.1[127.0.0.1] said: 550-5.1.1 no 550 such user (in "
			 "reply to RCPT TO command)"},
			SENT, {DELIVERY_DEFERRED, "4.2.1", "450 4.2.1 later"}},
		"status=bounced (host 127.0.0.1[127.0.0.1] said: ",
		"\"recipients\": [\"b@x.test\"]", NULL},
	{"all recipients refused: pipelined DATA", "", {"--rule", "RCPT.*=550 5.1.1 no"}, {NULL},
		HOST, {"b@x.test", "c@x.test"},
		{{DELIVERY_BOUNCED, "5.1.1", "(in reply to RCPT TO command)"},
			{DELIVERY_BOUNCED, "5.1.1", "550 5.1.1 no"}},
		NULL, "\"RSET\"", "\"data\""},
	{"sender refused for ever", "", {"--rule", "MAIL.*=553 5.7.1 go away"}, {NULL}, HOST,
		{"b@x.test", "c@x.test"},
		{{DELIVERY_BOUNCED, "5.7.1", "(in reply to MAIL FROM command)"},
			{DELIVERY_BOUNCED, "5.7.1", "553 5.7.1 go away"}},
		NULL, "MAIL FROM:<a@here.test> SIZE=", NULL},
	{"DATA refused for now", "", {"--rule", "DATA=451 4.3.0 disk"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.3.0", "451 4.3.0 disk (in reply to DATA command)"}}, NULL,
		NULL, "\"data\""},
	{"content refused", "", {"--rule", "DOT=550 5.7.1 spam"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_BOUNCED, "5.7.1", "550 5.7.1 spam (in reply to end of DATA command)"}},
		NULL, NULL, "\"data\""},
	{"greeting 5xx is temporary", "", {"--rule", "CONNECT=554 5.7.1 no service"}, {NULL}, HOST,
		{"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.1",
			"host 127.0.0.1[127.0.0.1] refused to talk to me: 554 "
			"5.7.1 no service"}},
		"relay=127.0.0.1[127.0.0.1]:%P", NULL, "EHLO"},
	{.what = "nobody waits for the outcome any more: not delivered", .config = "",
		.sink = {"--rule", "DATA=WAIT 0.3 354 go on"}, .nexthop = HOST,
		.recipients = {"b@x.test"}, .seen = "\"DATA\"", .not_seen = "\"data\"", .gone = true},
	{"lost connection", "", {"--rule", "DATA=DROP"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.4.2",
			"lost connection with 127.0.0.1[127.0.0.1] while sending DATA command"}},
		NULL, NULL, "\"data\""},
	{"lost connection behind the dot", "", {"--rule", "DOT=DROP"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.4.2",
			"while sending end of data -- message may be sent more than once"}},
		NULL, NULL, NULL},
	{"time out", "smtp_helo_timeout = 1s\n", {"--rule", "EHLO.*=SILENT"}, {NULL}, HOST,
		{"b@x.test"},
		{{DELIVERY_DEFERRED, "4.4.2",
			"conversation with 127.0.0.1[127.0.0.1] timed out while performing "
			"the EHLO handshake"}},
		NULL, NULL, NULL},
	{"not a reply", "", {"--rule", "EHLO.*=RAW hello\\r\\n"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.5.0", "protocol error"}}, NULL, NULL, NULL},
	{"nobody listens", "", {NULL}, {NULL}, "[127.0.0.1]:1", {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.4.1",
			"connect to 127.0.0.1[127.0.0.1]:1: Connection refused"}},
		"relay=none, delay=", NULL, NULL},
	{"message too big for the server", "", {"--extension", "SIZE 10"}, {NULL}, HOST,
		{"b@x.test"},
		{{DELIVERY_BOUNCED, "5.3.4",
			"exceeds size limit 10 of server 127.0.0.1[127.0.0.1]"}},
		NULL, NULL, "MAIL"},
	{"SMTPUTF8 needed and missing", "", {"--extension", "8BITMIME"}, {NULL}, HOST,
		{"gr\xc3\xbc@x.test"},
		{{DELIVERY_BOUNCED, "5.6.7", "SMTPUTF8 is required, but was not offered by host"}},
		NULL, NULL, "MAIL", .flags = DELIVERY_SMTPUTF8},
	{"SMTPUTF8 asked for and not needed", "", {"--extension", "8BITMIME"}, {NULL}, HOST,
		{"b@x.test"}, {SENT}, NULL, NULL, "SMTPUTF8", .flags = DELIVERY_SMTPUTF8},
	{"parameters", "", {"--rule", "NOOP=250 x"}, {NULL}, HOST, {"b c@x.test"}, {SENT}, NULL,
		"BODY=8BITMIME SMTPUTF8 ENVID=id+2B1 RET=HDRS", NULL,
		.flags = DELIVERY_SMTPUTF8 | DELIVERY_8BITMIME},
	{"recipient parameters, quoting", "", {"--rule", "NOOP=250 x"}, {NULL}, HOST,
		{"b c@x.test"}, {SENT}, NULL,
		"RCPT TO:<\\\"b c\\\"@x.test> ORCPT=rfc822;o+2Brig@x.test NOTIFY=SUCCESS,DELAY",
		NULL},
	{"a large message from a file", "", {"--rule", "NOOP=250 x"}, {NULL}, HOST, {"b@x.test"},
		{SENT}, NULL, "the last line of a large message\\r\\n\"}", NULL, .large = true},
	{"a file that cannot be read now", "", {"--rule", "NOOP=250 x"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.3.0", "local data error"}}, NULL, "\"DATA\"", "\"data\"",
		.large = true, .unreadable = true},
	{"a file that cannot be read now, SMTPUTF8", "", {"--extension", "8BITMIME"}, {NULL}, HOST,
		{"b@x.test"}, {{DELIVERY_DEFERRED, "4.3.0", "local data error"}}, NULL, NULL,
		"\"data\"", .flags = DELIVERY_SMTPUTF8, .large = true, .unreadable = true},
	{"connection is used again", "", {"--rule", "NOOP=250 x"}, {NULL}, HOST, {"b@x.test"},
		{SENT}, ", conn_use=2, ", "\"RSET\"", NULL, .twice = true},
	{"kept connection has died", "", {"--rule", "RSET=1:DROP"}, {NULL}, HOST, {"b@x.test"},
		{SENT}, "queued as A1", "\"RSET\"", NULL, .twice = true},
	{"deferred over a kept connection", "",
		{"--rule", "RCPT.*=450 4.7.1 grey", "--rule", "NOOP=250 x"}, {NULL}, HOST,
		{"b@x.test"}, {{DELIVERY_DEFERRED, "4.7.1", "450 4.7.1 grey"}},
		"relay=127.0.0.1[127.0.0.1]:%P, conn_use=2, ", "\"RSET\"", NULL, .twice = true},
	{"MX by preference, the first is down", "smtp_tcp_port = %P\n", {NULL},
		{"--rule", "NOOP=250 x"}, "two.test", {"b@two.test"}, {SENT},
		"relay=mx2.two.test[127.0.0.2]:%P", NULL, NULL},
	{"MX: 4xx goes to the next server", "smtp_tcp_port = %P\n",
		{"--rule", "RCPT.*=450 4.7.1 grey"}, {"--rule", "NOOP=250 x"}, "two.test",
		{"b@two.test", "c@two.test"}, {SENT, SENT}, "relay=mx2.two.test[127.0.0.2]:%P",
		NULL, NULL},
	{"MX: 5xx does not", "smtp_tcp_port = %P\n", {"--rule", "RCPT.*=550 5.1.1 no"},
		{"--rule", "NOOP=250 x"}, "two.test", {"b@two.test"},
		{{DELIVERY_BOUNCED, "5.1.1", "host mx1.two.test[127.0.0.1] said: 550"}}, NULL, NULL,
		NULL},
	{"session limit", "smtp_tcp_port = %P\nsmtp_mx_session_limit = 1\n",
		{"--rule", "RCPT.*=450 4.7.1 grey"}, {"--rule", "NOOP=250 x"}, "two.test",
		{"b@two.test"}, {{DELIVERY_DEFERRED, "4.7.1", "grey"}}, NULL, NULL, NULL},
	{"no MX: the address", "smtp_tcp_port = %P\n", {"--rule", "NOOP=250 x"}, {NULL},
		"mx1.two.test", {"b@mx1.two.test"}, {SENT}, "relay=mx1.two.test[127.0.0.1]:%P",
		NULL, NULL},
	{"null MX", "", {NULL}, {NULL}, "null.test", {"b@null.test"},
		{{DELIVERY_BOUNCED, "5.1.10", "Domain null.test does not accept mail (nullMX)"}},
		"relay=none", NULL, NULL},
	{"no such domain", "", {NULL}, {NULL}, "missing.test", {"b@missing.test"},
		{{DELIVERY_BOUNCED, "5.4.4",
			"Host or domain name not found. Name service error for "
			"name=missing.test type=MX: Host not found"}},
		"relay=none", NULL, NULL},
	{"DNS fails for now", "", {NULL}, {NULL}, "broken.test", {"b@broken.test"},
		{{DELIVERY_DEFERRED, "4.4.3",
			"name=broken.test type=MX: Host not found, try again"}},
		NULL, NULL, NULL},
	{"MX without address", "", {NULL}, {NULL}, "noaddress.test", {"b@noaddress.test"},
		{{DELIVERY_BOUNCED, "5.4.4", "Name service error for name=nowhere.test type=A"}},
		NULL, NULL, NULL},
	{"fallback relay", "smtp_fallback_relay = [127.0.0.2]:%P\n",
		{"--rule", "CONNECT=421 4.3.2 busy"}, {"--rule", "NOOP=250 x"}, HOST, {"b@x.test"},
		{SENT}, "relay=127.0.0.2[127.0.0.2]:%P", NULL, NULL},
	{"fallback relay for a missing domain", "smtp_fallback_relay = [127.0.0.1]:%P\n",
		{"--rule", "NOOP=250 x"}, {NULL}, "missing.test", {"b@missing.test"}, {SENT},
		"relay=127.0.0.1[127.0.0.1]:%P", NULL, NULL},
	{"fallback relay that does not exist: the mail stays", "smtp_fallback_relay = missing.test\n",
		{"--rule", "RCPT TO:<c@.*=450 4.2.1 later"}, {NULL}, HOST, {"c@x.test", "b@x.test"},
		{{DELIVERY_DEFERRED, "4.4.4", "name=missing.test type=MX: Host not found"}, SENT},
		"smtp_fallback_relay configuration problem", NULL, NULL},
	{"relayhost that does not exist: the mail stays", "relayhost = missing.test\n", {NULL}, {NULL},
		"missing.test", {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.4.4", "name=missing.test type=MX: Host not found"}},
		"relayhost configuration problem", NULL, NULL},
	{"relayhost that refuses us: the mail stays", "relayhost = [127.0.0.1]:%P\n",
		{"--rule", "EHLO .*=550 5.7.1 no", "--rule", "HELO .*=550 5.7.1 no"}, {NULL}, HOST,
		{"b@x.test"}, {{DELIVERY_DEFERRED, "4.7.1", "refused to talk to me: 550 5.7.1 no"}},
		"relayhost configuration problem", NULL, "MAIL"},
	{"another host that refuses us: the mail goes back", "relayhost = relay.test\n",
		{"--rule", "EHLO .*=550 5.7.1 no", "--rule", "HELO .*=550 5.7.1 no"}, {NULL}, HOST,
		{"b@x.test"}, {{DELIVERY_BOUNCED, "5.7.1", "refused to talk to me: 550 5.7.1 no"}},
		NULL, NULL, "MAIL"},
	{"invalid next hop", "", {NULL}, {NULL}, "[127.0.0.1", {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.3.5", "invalid next hop destination"}}, NULL, NULL, NULL},

	{"TLS when offered", "smtp_tls_security_level = may\nsmtp_tls_loglevel = 1\n",
		{"--certificate", "%D/cert.pem"}, {NULL}, HOST, {"b@x.test"}, {SENT},
		"Untrusted TLS connection established to 127.0.0.1[127.0.0.1]:%P: TLSv1.3 with cipher",
		"\"tls\": true", NULL},
	{"TLS required and missing", "smtp_tls_security_level = encrypt\n",
		{"--rule", "NOOP=250 x"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.4",
			"TLS is required, but was not offered by host "
			"127.0.0.1[127.0.0.1]"}},
		NULL, NULL, "MAIL"},
	{"STARTTLS refused, not required", "smtp_tls_security_level = may\n",
		{"--certificate", "%D/cert.pem", "--rule", "STARTTLS=454 4.7.0 not now"}, {NULL},
		HOST, {"b@x.test"}, {SENT}, NULL, "\"tls\": false", NULL},
	{"STARTTLS refused, required", "smtp_tls_security_level = encrypt\n",
		{"--certificate", "%D/cert.pem", "--rule", "STARTTLS=554 5.7.0 never"}, {NULL},
		HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.0", "refused to start TLS: 554 5.7.0 never"}}, NULL, NULL,
		"MAIL"},
	{"handshake fails: again without TLS",
		"smtp_tls_security_level = may\nsmtp_tls_protocols = TLSv1.3\n",
		{"--certificate", "%D/cert.pem", "--rule",
			"STARTTLS=RAW 220 go\\r\\nnonsense\\r\\n"},
		{NULL}, HOST, {"b@x.test"}, {SENT}, "Cannot start TLS: handshake failure",
		"\"tls\": false", NULL},
	{"handshake fails, required", "smtp_tls_security_level = encrypt\n",
		{"--certificate", "%D/cert.pem", "--rule",
			"STARTTLS=RAW 220 go\\r\\nnonsense\\r\\n"},
		{NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.5", "Cannot start TLS: handshake failure"}}, NULL, NULL,
		"MAIL"},
	{"replies from before the handshake do not survive it",
		"smtp_tls_security_level = encrypt\n",
		{"--certificate", "%D/cert.pem", "--rule",
			"STARTTLS=INJECT 250-evil\\r\\n250 AUTH PLAIN\\r\\n250 ok\\r\\n250 ok\\r\\n"},
		{NULL}, HOST, {"b@x.test"}, {SENT}, NULL, "\"tls\": true", NULL},
	{"certificate verified by name",
		"smtp_tls_security_level = verify\nsmtp_tls_CAfile = %D/cert.pem\n"
		"smtp_tls_loglevel = 1\nsmtp_tcp_port = %P\n",
		{"--certificate", "%D/cert.pem"}, {NULL}, "[mx1.two.test]", {"b@x.test"}, {SENT},
		"Verified TLS connection established to mx1.two.test[127.0.0.1]", NULL, NULL},
	{"certificate of another name",
		"smtp_tls_security_level = verify\nsmtp_tls_CAfile = %D/cert.pem\n"
		"smtp_tcp_port = %P\n",
		{"--certificate", "%D/cert.pem"}, {NULL}, "[other.test]", {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.5", "Server certificate not verified"}}, NULL, NULL,
		"MAIL"},
	{"certificate not trusted", "smtp_tls_security_level = secure\nsmtp_tcp_port = %P\n",
		{"--certificate", "%D/cert.pem"}, {NULL}, "[mx1.two.test]", {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.5", "Server certificate not trusted"}}, NULL, NULL,
		"MAIL"},
	{"secure by next hop",
		"smtp_tls_security_level = secure\nsmtp_tls_CAfile = %D/cert.pem\n"
		"smtp_tcp_port = %P\n",
		{"--certificate", "%D/cert.pem"}, {NULL}, "two.test", {"b@two.test"}, {SENT}, NULL,
		"\"tls\": true", NULL},
	{"policy table", "smtp_tls_policy_maps = inline:{ {[127.0.0.1]:%P=encrypt} }\n",
		{"--rule", "NOOP=250 x"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.4", "TLS is required"}}, NULL, NULL, "MAIL"},
	{"policy table says nonsense",
		"smtp_tls_policy_maps = inline:{ {[127.0.0.1]:%P=encript} }\n",
		{"--rule", "NOOP=250 x"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.5", "client TLS configuration problem"}}, NULL, NULL,
		"EHLO"},
	{"wrapper mode", "smtp_tls_security_level = encrypt\nsmtp_tls_wrappermode = yes\n",
		{"--certificate", "%D/cert.pem", "--wrapper"}, {NULL}, HOST, {"b@x.test"}, {SENT},
		NULL, "\"tls\": true", "STARTTLS"},

#define AUTH                                                                                       \
	"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = inline:{ {[127.0.0.1]:%P=me:secret} }\n"
	{"AUTH inside TLS",
		AUTH "smtp_sasl_security_options = noanonymous\nsmtp_tls_security_level = encrypt\n"
		     "smtp_sasl_mechanism_filter = plain\n",
		{"--certificate", "%D/cert.pem", "--user", "me:secret", "--auth-tls-only"}, {NULL},
		HOST, {"b@x.test"}, {SENT}, NULL, "\"user\": \"me\"", NULL},
	{"AUTH LOGIN", AUTH "smtp_sasl_security_options = noanonymous\n",
		{"--user", "me:secret", "--mechanisms", "LOGIN"}, {NULL}, HOST, {"b@x.test"},
		{SENT}, NULL, "\"user\": \"me\"", NULL},
	{"no plain text passwords by default", AUTH,
		{"--user", "me:secret", "--mechanisms", "PLAIN LOGIN"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.0", "no mechanism available"}}, NULL, NULL, "MAIL"},
	{"wrong password is temporary", AUTH "smtp_sasl_security_options = noanonymous\n",
		{"--user", "me:other", "--mechanisms", "PLAIN"}, {NULL}, HOST, {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.7.8",
			"SASL authentication failed; server 127.0.0.1[127.0.0.1] said: 535 5.7.8"}},
		NULL, NULL, "MAIL"},
	{"AUTH by sender",
		"smtp_sasl_auth_enable = yes\nsmtp_sender_dependent_authentication = yes\n"
		"smtp_sasl_password_maps = inline:{ {a@here.test=me:secret} }\nsmtp_sasl_security_options =\n",
		{"--user", "me:secret", "--mechanisms", "PLAIN"}, {NULL}, HOST, {"b@x.test"},
		{SENT}, NULL, "\"user\": \"me\"", NULL},
	{"no password for this host",
		"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = inline:{ {x=me:secret} }\n",
		{"--user", "me:secret"}, {NULL}, HOST, {"b@x.test"}, {SENT}, NULL, "\"user\": null",
		NULL},

	{"LMTP: a reply for each recipient", "",
		{"--lmtp", "--rule", "DOT c@x.test=552 5.2.2 full", "--rule",
			"DOT d@x.test=450 4.2.0 busy"},
		{NULL}, "inet:127.0.0.1:%P", {"b@x.test", "c@x.test", "d@x.test"},
		{{DELIVERY_SENT, "2.1.5", "250 2.1.5 <b@x.test> Saved"},
			{DELIVERY_BOUNCED, "5.2.2",
				"552 5.2.2 full (in reply to end of DATA command)"},
			{DELIVERY_DEFERRED, "4.2.0", "450 4.2.0 busy"}},
		NULL, "LHLO client.test", NULL, .lmtp = true},
	{"LMTP over a UNIX socket", "", {"--lmtp", "--path", "%D/lmtp"}, {NULL}, "unix:%D/lmtp",
		{"b@x.test"}, {{DELIVERY_SENT, "2.1.5", "Saved"}},
		"relay=client.test[%D/lmtp], delay=", NULL, NULL, .lmtp = true},
	{"LMTP: socket is not there", "", {NULL}, {NULL}, "unix:%D/none", {"b@x.test"},
		{{DELIVERY_DEFERRED, "4.4.1",
			"connect to client.test[%D/none]: No such file or directory"}},
		NULL, NULL, NULL, .lmtp = true},
};

/* --- one delivery --- */

struct run {
	const struct scenario *scenario;
	int port;
	int fds[2];
};

static void serve_side(void *arg)
{
	struct run *run = arg;
	serve(channel_new(run->fds[1]), "qmgr");
}

static int make_large_file(uint64_t *ret_size)
{
	char path[256];
	snprintf(path, sizeof path, "%s/large", folder);
	FILE *file = fopen(path, "w+");
	assert_non_null(file);
	fputs("not content\nSubject: large\n\n", file);
	for (int i = 0; i < 20000; i++)
		fputs("a line of a large message, long enough to be one\n", file);
	fputs("the last line of a large message", file);
	*ret_size = (uint64_t)ftell(file) - 12;
	int fd = dup(fileno(file));
	fclose(file);
	return fd;
}

static void check_reply(const struct run *run, const struct delivery_reply *reply, size_t count)
{
	const struct scenario *s = run->scenario;
	if (reply->outcome_count != count)
		complain("%s: %zu outcomes", s->what, reply->outcome_count);
	for (size_t i = 0; i < count && i < reply->outcome_count; i++) {
		const struct delivery_outcome *o = &reply->outcomes[i];
		char *text = fill(s->expected[i].text, run->port);
		assert_int_equal(o->index, 100 + i);
		if (o->status != s->expected[i].status ||
			span_find(o->text, span_from_cstr(text)) == SIZE_MAX ||
			!span_equal(o->dsn, span_from_cstr(s->expected[i].dsn)))
			complain("%s: recipient %zu: status %u dsn %.*s text %.*s", s->what, i, o->status,
				SPAN_ARGS(o->dsn), SPAN_ARGS(o->text));
		free(text);
	}
}

/* What qmgr slows a destination down for: the server as a whole, not one recipient or message. */
static void check_site(const struct run *run, const struct delivery_reply *reply)
{
	struct span text = reply->outcomes[0].text;
	bool wanted = reply->outcomes[0].status == DELIVERY_DEFERRED &&
		(span_starts_with(text, SPAN("connect to ")) ||
			span_starts_with(text, SPAN("lost connection ")) ||
			span_find(text, SPAN(" refused to talk ")) != SIZE_MAX ||
			span_starts_with(text, SPAN("Server certificate ")) ||
			span_starts_with(text, SPAN("SASL authentication failed; server")));
	bool unwanted = span_find(text, SPAN("(in reply to ")) != SIZE_MAX ||
		reply->outcomes[0].status != DELIVERY_DEFERRED;
	if ((wanted && !reply->site_failed) || (unwanted && reply->site_failed))
		complain("%s: site_failed is %d", run->scenario->what, reply->site_failed);
}

static void ask_side(void *arg)
{
	struct run *run = arg;
	const struct scenario *s = run->scenario;
	struct channel *channel = channel_new(run->fds[0]);
	struct delivery_recipient recipients[RECIPIENTS_MAX];
	char *nexthop = fill(s->nexthop, run->port);
	size_t count = 0;
	for (; count < RECIPIENTS_MAX && s->recipients[count] != NULL; count++)
		recipients[count] = (struct delivery_recipient){.index = 100 + (uint32_t)count,
			.address = span_from_cstr(s->recipients[count]), .original = SPAN("o+rig@x.test"),
			.notify = DSN_SUCCESS | DSN_DELAY};
	for (int round = 0; round < (s->twice ? 2 : 1); round++) {
		struct delivery_request request = {.queue_id = SPAN("4ABC"), .transport = SPAN("smtp"),
			.nexthop = span_from_cstr(nexthop),
			.sender = span_from_cstr(s->sender == NULL ? "a@here.test" : s->sender),
			.envid = SPAN("id+1"), .dsn_return = DSN_RETURN_HEADERS, .flags = s->flags,
			.arrival_ms = clock_wall_ms() - 1500, .active_ms = clock_wall_ms() - 50,
			.content = SPAN(MESSAGE), .size = sizeof MESSAGE - 1, .content_fd = -1,
			.recipients = recipients, .recipient_count = count};
		if (s->large) {
			request.content = SPAN_EMPTY;
			request.content_fd = make_large_file(&request.size);
			request.content_offset = s->unreadable ? 1 << 30 : 12;
		}
		void *reply;
		if (s->gone) {
			assert_int_equal(channel_send(channel, &delivery_request_type, &request), 0);
			assert_int_equal(channel_flush(channel, task_deadline(30000)), 0);
			break;
		}
		int error = channel_call(channel, &delivery_request_type, &request, &delivery_reply_type,
			task_deadline(30000), &reply);
		if (request.content_fd >= 0)
			close(request.content_fd);
		if (error != 0)
			complain("%s: channel error %d", s->what, error);
		else
			check_reply(run, reply, count);
		if (error == 0)
			check_site(run, reply);
	}
	free(nexthop);
	channel_free(channel);
}

static void check_text(const struct run *run, const char *where, const char *text,
	const char *wanted, bool present)
{
	if (wanted == NULL)
		return;
	char *filled = fill(wanted, run->port);
	if ((strstr(text, filled) != NULL) != present)
		complain("%s: %s: '%s' is%s in:\n%s", run->scenario->what, where, filled,
			present ? " not" : "", text);
	free(filled);
}

static struct conf *load(const struct run *run)
{
	struct buf text = BUF_INIT(10000);
	char *config = fill(run->scenario->config, run->port), *error = NULL;
	buf_append_format(&text,
		"myhostname = client.test\nqueue_directory = %s\ninet_protocols = all\n"
		"smtp_tls_security_level =\ninet_interfaces = 192.0.2.1\n%s",
		folder, config);
	write_file("main.cf", buf_cstr(&text));
	struct conf *conf = conf_load(folder, "smtp", NULL, 0, &error);
	if (conf == NULL)
		fail_msg("%s", error);
	assert_int_equal(settings_load(conf, run->scenario->lmtp), 0);
	assert_int_equal(client_tls_load(), 0);
	free(config);
	buf_done(&text);
	return conf;
}

static void play(const struct scenario *scenario)
{
	struct run run = {.scenario = scenario};
	if (getenv("SCENARIO") != NULL)
		printf("%s\n", scenario->what);
	int second_port = 0;
	pid_t sink = start_sink(scenario->sink, "127.0.0.1", 0, "sink.json", &run.port);
	pid_t second = start_sink(scenario->second, "127.0.0.2", run.port, "second.json", &second_port);
	if (run.port == 0)
		run.port = second_port;
	buf_reset(&log_text);
	log_set_sink(keep_log);
	struct conf *conf = load(&run);
	assert_int_equal(sasl_load(), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, run.fds), 0);
	assert_int_equal(task_loop_open(), 0);
	assert_int_equal(dns_open(dns_server, 0), 0);
	assert_non_null(task_spawn("serve", serve_side, &run, 0));
	assert_non_null(task_spawn("ask", ask_side, &run, 256 * 1024));
	assert_int_equal(task_loop_run(), 0);
	cache_close();
	dns_close();
	task_loop_close();
	log_set_sink(NULL);
	char *seen = read_file("sink.json");
	check_text(&run, "log", buf_cstr(&log_text), scenario->log, true);
	check_text(&run, "server", seen, scenario->seen, true);
	check_text(&run, "server", seen, scenario->not_seen, false);
	free(seen);
	client_tls_done();
	settings_done();
	conf_free(conf);
	helper_stop(sink);
	helper_stop(second);
}

static void test_scenarios(void **state)
{
	(void)state;
	const char *only = getenv("SCENARIO");
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		if (only == NULL || strstr(scenarios[i].what, only) != NULL)
			play(&scenarios[i]);
	assert_int_equal(failures, 0);
}

static const char zone[] =
	"two.test MX 10 mx1.two.test\ntwo.test MX 20 mx2.two.test\n"
	"mx1.two.test A 127.0.0.1\nmx2.two.test A 127.0.0.2\nother.test A 127.0.0.1\n"
	"null.test MX 0 .\nbroken.test SERVFAIL\nnoaddress.test MX 10 nowhere.test\n";

static int set_up(void **state)
{
	(void)state;
	char command[1024];
	signal(SIGPIPE, SIG_IGN);
	assert_non_null(mkdtemp(folder));
	buf_init(&log_text, 1 << 20);
	snprintf(command, sizeof command,
		"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=mx1.two.test -days 30 "
		"-addext subjectAltName=DNS:mx1.two.test,DNS:two.test -keyout %s/key.pem -out %s/crt.pem "
		"2>/dev/null && cat %s/key.pem %s/crt.pem > %s/cert.pem",
		folder, folder, folder, folder, folder);
	if (WEXITSTATUS(system(command)) != 0)
		return -1;
	dns_pid = helper_start_dns(zone, dns_server);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	char command[300];
	helper_stop(dns_pid);
	buf_done(&log_text);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return WEXITSTATUS(system(command));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_scenarios)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
