/* Dialogues of SMTP and LMTP sessions: real session code over a socketpair, with fakes for cleanup,
 * auth and anvil. Each *.txt beside this file is a case; tests/support/transcript.h says how they
 * read. Directives of this test:
 *   CONF name = value     a line of main.cf
 *   TABLE name            a file $table_name follows, up to a line "."
 *   PEER address          the client's address (default 192.0.2.1)
 *   NAME found|mismatch|none|temp [name]   what DNS says about it
 *   CLEANUP ok|big|space|hops|rejected|error|gone    the answer to a message
 *   READY ok|space|gone   what it says before a message
 *   COUNT concurrent rate what anvil answers
 *   AUTH off              auth cannot be reached
 *   STOP                  the process is told to stop
 *   QUEUED n              so many messages were acknowledged by cleanup
 *   GOT text / NOT text   the last message's envelope and content have this / not this
 *   LOG text / NOLOG text a log line has this / none has
 *   REFUSED               the configuration is refused
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"
#include "service/anvil.h"
#include "service/auth.h"
#include "service/cleanup.h"
#include "service/lookup.h"
#include "smtpd/session.h"
#include "sys/fd.h"
#include "transcript.h"

static const char base_conf[] =
	"compatibility_level = 3.6\n"
	"myhostname = mail.example.test\n"
	"mydomain = example.test\n"
	"myorigin = example.test\n"
	"mydestination = example.test, localhost\n"
	"mail_name = Tambo\n"
	"local_recipient_maps = inline:{ alice=x, bob=x, carol=x, postmaster=x }\n"
	"auth_user_maps =\n"
	"alias_maps =\n"
	"mynetworks = 127.0.0.0/8\n"
	"inet_interfaces = 127.0.0.1\n"
	"smtpd_error_sleep_time = 0\n"
	"smtpd_peername_lookup = yes\n"
	"smtpd_timeout = 5s\n"
	"default_database_type = texthash\n";

static struct {
	struct server server;
	struct buf conf, log, message, table;
	char folder[64], peer[64], table_name[64], name[100];
	enum lookup_status name_status;
	char cleanup_answer, ready_answer;
	struct anvil_answer counts;
	bool auth_off, stopping, refused, in_table, starts;
	unsigned queued;
	int server_fd;
	const char *path;
	struct conf *opened;
} t;

static void sink(enum log_level level, const char *line, size_t len)
{
	(void)level;
	buf_append_bytes(&t.log, line, len);
	buf_append_char(&t.log, '\n');
}

/* --- fakes --- */

static void note_recipients(const struct cleanup_recipient *recipients, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_append_format(&t.message, "to=<%.*s> notify=%u orcpt=<%.*s>\n",
			SPAN_ARGS(recipients[i].address), recipients[i].notify,
			SPAN_ARGS(recipients[i].orcpt));
}

static void note_open(const struct cleanup_open *open)
{
	buf_reset(&t.message);
	buf_append_format(&t.message, "from=<%.*s> flags=%u ret=%u envid=<%.*s> size=%llu "
		"client=%.*s[%.*s] helo=<%.*s> proto=%.*s method=%.*s user=%.*s for=<%.*s>\n",
		SPAN_ARGS(open->sender), open->flags, open->dsn_return, SPAN_ARGS(open->envid),
		(unsigned long long)open->size_hint, SPAN_ARGS(open->client_name),
		SPAN_ARGS(open->client_address), SPAN_ARGS(open->helo), SPAN_ARGS(open->protocol),
		SPAN_ARGS(open->sasl_method), SPAN_ARGS(open->sasl_username),
		SPAN_ARGS(open->received_for));
	note_recipients(open->recipients, open->recipient_count);
}

/* One message. False: the channel is to be closed. */
static bool cleanup_message(struct channel *channel)
{
	const struct message_type *const types[] = {&cleanup_recipients_type, &cleanup_chunk_type,
		&cleanup_end_type};
	struct cleanup_ready ready = {.status = t.ready_answer == 's' ? CLEANUP_NO_SPACE :
		CLEANUP_OK, .queue_id = SPAN("4ABCDEF"), .since_ms = task_now()};
	struct cleanup_result result = {.status = CLEANUP_OK, .queue_id = SPAN("4ABCDEF"),
		.code = SPAN_EMPTY, .text = SPAN_EMPTY};
	void *message;
	size_t which;

	if (t.ready_answer == 'g' || channel_send(channel, &cleanup_ready_type, &ready) != 0 ||
		channel_expect(channel, &cleanup_open_type, TASK_FOREVER, &message) != 0)
		return false;
	note_open(message);
	while (channel_receive(channel, types, ARRAY_LEN(types), TASK_FOREVER, &which,
		&message) == 0) {
		if (which == 0) {
			struct cleanup_recipients *more = message;
			note_recipients(more->recipients, more->recipient_count);
		} else if (which == 1) {
			buf_append(&t.message, ((struct cleanup_chunk *)message)->bytes);
		} else {
			switch (t.cleanup_answer) {
			case 'g': return false;
			case 'b': result.status = CLEANUP_TOO_BIG; break;
			case 's': result.status = CLEANUP_NO_SPACE; break;
			case 'h': result.status = CLEANUP_TOO_MANY_HOPS; break;
			case 'e': result.status = CLEANUP_QUEUE_ERROR; break;
			case 'r':
				result.status = CLEANUP_REJECTED;
				result.code = SPAN("5.7.1");
				result.text = SPAN("no such content here");
				break;
			default: t.queued++; break;
			}
			return channel_send(channel, &cleanup_result_type, &result) == 0;
		}
	}
	return false;
}

static void fake_cleanup(void *arg)
{
	struct channel *channel = arg;

	while (cleanup_message(channel))
		(void)channel_flush(channel, TASK_FOREVER);
	channel_free(channel);
}

/* PLAIN with user "alice" and password "secret"; LOGIN the same; FINAL ends with data. */
static void auth_answer(const struct auth_start *start, const struct auth_continue *next,
	unsigned step, struct auth_reply *reply)
{
	struct span response = next == NULL ? start->response : next->response;
	bool has = next != NULL || start->has_response;

	if (span_equal(start->mechanism, SPAN("LIST"))) {
		reply->status = AUTH_LIST;
		reply->mechanisms = SPAN("PLAIN LOGIN FINAL");
	} else if (span_equal(start->mechanism, SPAN("LOGIN"))) {
		reply->status = AUTH_CONTINUE;
		if (step == 0)
			reply->challenge = SPAN("Username:");
		else if (step == 1)
			reply->challenge = SPAN("Password:");
		else
			reply->status = span_equal(response, SPAN("secret")) ? AUTH_OK : AUTH_FAILED;
	} else if (!has) {
		reply->status = AUTH_CONTINUE;
	} else if (span_equal(start->mechanism, SPAN("FINAL"))) {
		reply->status = AUTH_OK;
		reply->challenge = SPAN("v=proof");
	} else if (span_equal(response, SPAN("\0temp\0temp"))) {
		reply->status = AUTH_TEMPORARY;
	} else {
		reply->status = span_equal(response, SPAN("\0alice\0secret")) ? AUTH_OK :
			AUTH_FAILED;
	}
	reply->user = SPAN("alice");
}

/* "dora" is the one account that only auth knows; "temp" cannot be looked up. */
static bool answer_account(struct channel *channel, const struct account_question *question)
{
	struct account_answer answer = {.existence = ACCOUNT_IS_UNKNOWN};

	if (span_equal(question->user, SPAN("dora")))
		answer.existence = ACCOUNT_EXISTS;
	else if (span_equal(question->user, SPAN("temp")))
		answer.existence = ACCOUNT_CANNOT_TELL;
	return channel_send(channel, &account_answer_type, &answer) == 0 &&
		channel_flush(channel, TASK_FOREVER) == 0;
}

static void fake_auth(void *arg)
{
	struct channel *channel = arg;
	const struct message_type *const types[] = {&auth_start_type, &auth_continue_type,
		&account_question_type};
	struct auth_start start = {0};
	char mechanism[32];
	unsigned step = 0;
	size_t which;
	void *message;

	while (channel_receive(channel, types, 3, TASK_FOREVER, &which, &message) == 0) {
		if (which == 2) {
			if (!answer_account(channel, message))
				break;
			continue;
		}
		struct auth_reply reply = {.challenge = SPAN_EMPTY, .user = SPAN_EMPTY,
			.text = SPAN_EMPTY, .mechanisms = SPAN_EMPTY, .session_fd = -1};
		if (which == 0) {
			start = *(struct auth_start *)message;
			if (start.client_fd >= 0)
				close(start.client_fd);
			struct span name = span_head(start.mechanism, sizeof(mechanism));
			memcpy(mechanism, name.ptr, name.len);
			start.mechanism = span_new(mechanism, name.len);
			step = 0;
		}
		auth_answer(&start, which == 0 ? NULL : message, step++, &reply);
		if (channel_send(channel, &auth_reply_type, &reply) != 0 ||
			channel_flush(channel, TASK_FOREVER) != 0)
			break;
	}
	channel_free(channel);
}

/* Names tell their answer: "nx." is not there, "temp." fails, "null." takes no mail. */
static void lookup_answer_for(const struct lookup_question *question,
	struct lookup_answer *answer)
{
	answer->name = SPAN_EMPTY;
	answer->status = LOOKUP_FOUND;
	if (question->kind == LOOKUP_PEER) {
		answer->status = t.name_status;
		answer->name = span_from_cstr(t.name);
	} else if (span_starts_with(question->name, SPAN("nx."))) {
		answer->status = LOOKUP_NOT_FOUND;
	} else if (span_starts_with(question->name, SPAN("temp."))) {
		answer->status = LOOKUP_TEMPORARY;
	} else if (span_starts_with(question->name, SPAN("null."))) {
		answer->status = LOOKUP_NULL_MX;
	}
}

static void fake_anvil(void *arg)
{
	struct channel *channel = arg;
	const struct message_type *const types[] = {&anvil_count_type, &lookup_question_type};
	size_t which;
	void *message;

	while (channel_receive(channel, types, 2, TASK_FOREVER, &which, &message) == 0) {
		struct lookup_answer answer;
		int rc;
		if (which == 0) {
			rc = channel_send(channel, &anvil_answer_type, &t.counts);
		} else {
			lookup_answer_for(message, &answer);
			rc = channel_send(channel, &lookup_answer_type, &answer);
		}
		if (rc != 0 || channel_flush(channel, TASK_FOREVER) != 0)
			break;
	}
	channel_free(channel);
}

static struct channel *take(enum service_peer peer, task_time deadline)
{
	int fds[2];

	(void)deadline;
	if (peer == PEER_AUTH && t.auth_off)
		return NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	task_spawn("fake", peer == PEER_CLEANUP ? fake_cleanup : peer == PEER_AUTH ? fake_auth :
		fake_anvil, channel_new(fds[1]), 0);
	return channel_new(fds[0]);
}

static void give(enum service_peer peer, struct channel *channel_take)
{
	(void)peer;
	channel_free(channel_take);
}

static bool stopping(void)
{
	return t.stopping;
}

/* --- directives --- */

static void save_table(void)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s", t.folder, t.table_name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(t.table.ptr, 1, t.table.len, file), t.table.len);
	fclose(file);
	buf_append_format(&t.conf, "table_%s = texthash:%s\n", t.table_name, path);
	t.in_table = false;
}

static void copy_text(char *to, size_t size, struct span text)
{
	CHECK(text.len < size);
	memcpy(to, text.ptr, text.len);
	to[text.len] = '\0';
}

static bool setting(struct span word, struct span text)
{
	if (span_equal(word, SPAN("CONF"))) {
		buf_append(&t.conf, text);
		buf_append_char(&t.conf, '\n');
	} else if (span_equal(word, SPAN("TABLE"))) {
		copy_text(t.table_name, sizeof(t.table_name), text);
		buf_reset(&t.table);
		t.in_table = true;
	} else if (span_equal(word, SPAN("PEER"))) {
		copy_text(t.peer, sizeof(t.peer), text);
	} else if (span_equal(word, SPAN("NAME"))) {
		struct span status = span_split(&text, ' ');
		t.name_status = status.ptr[0] == 'f' ? LOOKUP_FOUND :
			status.ptr[0] == 'm' ? LOOKUP_MISMATCH :
			status.ptr[0] == 'n' ? LOOKUP_NOT_FOUND : LOOKUP_TEMPORARY;
		copy_text(t.name, sizeof(t.name), text.ptr == NULL ? SPAN_EMPTY : text);
	} else if (span_equal(word, SPAN("CLEANUP"))) {
		t.cleanup_answer = text.ptr[0];
	} else if (span_equal(word, SPAN("READY"))) {
		t.ready_answer = text.ptr[0];
	} else if (span_equal(word, SPAN("COUNT"))) {
		uint64_t concurrent = 0, rate = 0;
		(void)span_to_u64(span_split(&text, ' '), 1000, &concurrent);
		(void)span_to_u64(text, 1000, &rate);
		t.counts = (struct anvil_answer){(uint32_t)concurrent, (uint32_t)rate};
	} else if (span_equal(word, SPAN("AUTH"))) {
		t.auth_off = span_equal(text, SPAN("off"));
	} else if (span_equal(word, SPAN("REFUSED"))) {
		t.refused = true;
	} else {
		return false;
	}
	return true;
}

static bool has(const struct buf *buf, struct span text)
{
	return span_find(buf_span(buf), text) != SIZE_MAX;
}

static bool directive(struct span word, struct span text, const char **ret_why)
{
	uint64_t count = 0;

	if (t.in_table) {
		if (span_equal(word, SPAN("."))) {
			save_table();
			return true;
		}
		buf_append_format(&t.table, "%.*s %.*s\n", SPAN_ARGS(word), SPAN_ARGS(text));
		return true;
	}
	if (setting(word, text))
		return true;
	if (span_equal(word, SPAN("STOP"))) {
		t.stopping = true;
		server_stop(&t.server);
		return true;
	}
	/* What happens behind a reply needs a moment. */
	(void)task_sleep(20);
	if (span_equal(word, SPAN("QUEUED")))
		return span_to_u64(text, 1000, &count) && count == t.queued;
	if (span_equal(word, SPAN("GOT")) || span_equal(word, SPAN("NOT"))) {
		struct buf wanted = BUF_INIT(10000);
		transcript_unescape(text, &wanted);
		bool good = has(&t.message, buf_span(&wanted)) == (word.ptr[0] == 'G');
		buf_done(&wanted);
		*ret_why = buf_cstr(&t.message);
		return good;
	}
	*ret_why = buf_cstr(&t.log);
	if (span_equal(word, SPAN("LOG")))
		return has(&t.log, text);
	if (span_equal(word, SPAN("NOLOG")))
		return !has(&t.log, text);
	*ret_why = "unknown directive";
	return false;
}

/* --- playing --- */

static void run_server(void *arg)
{
	struct address peer;

	(void)arg;
	if (span_equal(span_from_cstr(t.peer), SPAN("unix")))
		CHECK(address_from_path("/none", &peer) == 0);
	else
		CHECK(address_parse_ip(span_from_cstr(t.peer), 12345, &peer));
	session_run(&t.server, t.server_fd, &peer, false);
	anvil_client_done(&t.server.anvil);
}

static char *read_file(const char *path)
{
	struct buf text = BUF_INIT(1 << 22);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fd_read_all(fd, &text) != 0)
		fail_msg("cannot read %s", path);
	close(fd);
	return buf_steal(&text);
}

static struct conf *write_conf(void)
{
	char path[200], *error = NULL;

	(void)snprintf(path, sizeof(path), "%s/main.cf", t.folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(t.conf.ptr, 1, t.conf.len, file), t.conf.len);
	fclose(file);
	struct conf *conf = conf_load(t.folder, "smtp", NULL, 0, &error);
	if (conf == NULL)
		fail_msg("%s", error);
	return conf;
}

static void reset(void)
{
	memset(&t, 0, sizeof(t));
	buf_init(&t.conf, 100000);
	buf_init(&t.log, 1000000);
	buf_init(&t.message, 20000000);
	buf_init(&t.table, 100000);
	copy_text(t.peer, sizeof(t.peer), SPAN("192.0.2.1"));
	copy_text(t.name, sizeof(t.name), SPAN("client.example.net"));
	copy_text(t.folder, sizeof(t.folder), SPAN("/tmp/smtpd-session-XXXXXX"));
	assert_non_null(mkdtemp(t.folder));
	buf_append_cstr(&t.conf, base_conf);
	t.name_status = LOOKUP_FOUND;
}

static void clear(void)
{
	char command[200];

	buf_done(&t.conf);
	buf_done(&t.log);
	buf_done(&t.message);
	buf_done(&t.table);
	(void)snprintf(command, sizeof(command), "rm -rf %s", t.folder);
	assert_int_equal(system(command), 0);
}

static int open_server(void)
{
	t.opened = write_conf();
	t.server.services = (struct services){take, give, stopping};
	return server_open(&t.server, t.opened);
}

/* The settings of the script are complete when it first speaks. */
static void connect_session(int fd_take, int client)
{
	(void)client;
	if (open_server() != 0)
		fail_msg("%s: the configuration is refused:\n%s", t.path, buf_cstr(&t.log));
	t.server_fd = fd_take;
	CHECK(socket_set_nonblocking(fd_take) == 0);
	assert_non_null(task_spawn("session", run_server, NULL, 0));
}

/* Where nothing is said, the server is not to start. */
static void end(void)
{
	t.starts = t.opened != NULL || open_server() == 0;
	server_close(&t.server);
}

static void play(const char *path)
{
	reset();
	log_set_sink(sink);
	t.path = path;
	char *script = read_file(path);
	struct transcript transcript = {.name = path, .script = script, .connect = connect_session,
		.directive = directive, .end = end};
	const char *failure = transcript_play(&transcript);
	log_set_sink(NULL);
	conf_free(t.opened);
	free(script);
	if (failure != NULL)
		fail_msg("%s", failure);
	if (t.starts == t.refused)
		fail_msg("%s: the configuration is%s refused:\n%s", path, t.starts ? " not" : "",
			buf_cstr(&t.log));
	clear();
}

static void dialogues(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob("tests/session/smtpd/*.txt", 0, NULL, &found), 0);
	assert_true(found.gl_pathc > 10);
	for (size_t i = 0; i < found.gl_pathc; i++)
		play(found.gl_pathv[i]);
	globfree(&found);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dialogues),
	};

	if (argc > 1) {
		play(argv[1]);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
