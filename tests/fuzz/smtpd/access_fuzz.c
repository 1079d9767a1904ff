/* What an access table may answer, asked for a stranger's recipient: any bytes are a permit, a
 * refusal with a whole reply, or nothing; what is not understood never permits. The first byte
 * chooses the restriction list and whether there is a message to act on.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/check.h"
#include "base/log.h"
#include "smtpd/policy_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"compatibility_level = 3.6\nmyhostname = mail.example.test\nmydomain = example.test\n"
	"myorigin = example.test\nmydestination = example.test\nalias_maps =\nauth_user_maps =\n"
	"local_recipient_maps = inline:{ bob=x }\nmynetworks = 127.0.0.0/8\n"
	"inet_interfaces = 127.0.0.1\nsmtpd_restriction_classes = strict, lax\n"
	"strict = reject_non_fqdn_sender, reject\nlax = permit\n";

static struct {
	struct server server;
	struct span value;
	uint8_t choice;
} t;

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static struct channel *take(enum service_peer peer, task_time deadline)
{
	(void)peer;
	(void)deadline;
	return NULL; /* nobody can be asked */
}

static void give(enum service_peer peer, struct channel *channel_take)
{
	(void)peer;
	(void)channel_take;
}

static bool stopping(void)
{
	return false;
}

static bool has_word(struct span value, const char *word)
{
	for (size_t len = strlen(word); value.len >= len; value = span_skip(value, 1))
		if (span_equal_nocase(span_head(value, len), span_from_cstr(word)))
			return true;
	return false;
}

/* What may let a stranger's mail in. */
static bool may_permit(struct span value)
{
	static const char *const words[] = {"ok", "relay", "discard", "permit", "lax"};
	size_t digits = 0;
	while (digits < value.len && ascii_is_digit(value.ptr[digits]))
		digits++;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (has_word(value, words[i]))
			return true;
	return digits == value.len;
}

static void check_reply(struct span reply)
{
	uint64_t code;
	CHECK(reply.len > 10);
	CHECK(span_to_u64(span_head(reply, 3), 599, &code) && code >= 400);
	CHECK(reply.ptr[3] == ' ' && reply.ptr[5] == '.');
	CHECK(reply.ptr[4] == '4' || reply.ptr[4] == '5');
}

/* Lines of "name: text". */
static void check_prepend(struct span lines)
{
	CHECK(lines.len == 0 || lines.ptr[lines.len - 1] == '\n');
	while (lines.len > 0) {
		struct span line = span_split(&lines, '\n');
		CHECK(span_is_printable(line));
		CHECK(span_find_char(line, ':') != SIZE_MAX && span_find_char(line, ':') > 0);
	}
}

static void judge(struct session *session)
{
	static const struct recipient recipient = {.given = SPAN("bob@example.test"),
		.address = SPAN("bob@example.test"), .orcpt = SPAN("")};
	struct policy_verdict verdict;
	policy_verdict_init(&verdict);
	struct policy_call call = {.session = session, .recipient = &recipient,
		.stage = (enum policy_stage)(t.choice % STAGE_COUNT), .verdict = &verdict};
	struct policy_subject subject = {SPAN("bob@example.test"), "Recipient address"};
	buf_init(&call.if_permit.text, 1000);
	buf_init(&call.if_reject.text, 1000);
	enum policy_result result = policy_access_result(&call, t.value, subject, "texthash:t");
	if (result == POLICY_REJECT)
		check_reply(buf_span(&verdict.reply));
	if (result == POLICY_OK)
		CHECK(may_permit(t.value));
	if (session->transaction != NULL)
		check_prepend(buf_span(&session->transaction->prepend));
	buf_done(&call.if_permit.text);
	buf_done(&call.if_reject.text);
	policy_verdict_done(&verdict);
}

static void run(void *arg)
{
	struct address peer;
	struct session session = {.server = &t.server, .where = "RCPT", .esmtp = true};
	(void)arg;
	int ends[2];
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
	CHECK(address_parse_ip(SPAN("192.0.2.1"), 12345, &peer));
	session.stream = stream_new(ends[0], 1000, 1000);
	list_init(&session.node);
	peer_identify(&session, &peer);
	session.helo = span_dup_cstr(SPAN("client.example"));
	if ((t.choice & 0x80) != 0) {
		struct smtp_mail mail = {.sender = {.full = SPAN("s@x.example")}, .envid = SPAN("")};
		session.transaction = transaction_new(&mail, SPAN("s@x.example"), 10);
	}
	judge(&session);
	transaction_reset(&session);
	free(session.helo);
	peer_done(&session);
	stream_free(session.stream);
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf *conf;
	/* No table yields more than a line of its file. */
	if (size < 1 || size > 4096)
		return 0;
	if (conf == NULL) {
		char *error = NULL;
		log_set_sink(silence);
		conf = conf_parse("/nowhere", "smtp", span_from_cstr(text), &error);
		CHECK(conf != NULL);
		t.server.services = (struct services){take, give, stopping};
		CHECK(server_open(&t.server, conf) == 0);
		task_offload_threads(0);
	}
	t.choice = data[0];
	t.value = span_new(data + 1, size - 1);
	if (has_word(t.value, "sleep"))
		return 0; /* it does */
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("policy", run, NULL, 0) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	return 0;
}
