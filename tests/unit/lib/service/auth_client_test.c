/* The client half of auth against a fake auth: every end of a login, what becomes of the channel,
 * of the worker's socket and of the mechanisms.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "service/auth_client.h"

/* The fake's replies, a letter each: C a challenge, O OK, D OK with data, F refused, U unavailable,
 * T temporary, L the list, X the channel closes. The last one holds for ever. */
static struct {
	const char *replies;
	unsigned asked, aborts, lists, takes, gives;
	bool dead_first, no_auth;
	char mechanism[80];
	int worker_end; /* the test's end of the worker's socket */
} fake;

/* The client's answers: A answers, * takes back, G is gone, B answers too much. */
static const char *answers;
static unsigned challenges;

static struct auth_reply next_reply(void)
{
	struct auth_reply reply = {.user = SPAN("alice"), .session_fd = -1};
	char letter = fake.replies[0];
	int fds[2];
	if (fake.replies[1] != '\0')
		fake.replies++;
	reply.status = letter == 'C' ? AUTH_CONTINUE : letter == 'F' ? AUTH_FAILED
		: letter == 'U' ? AUTH_UNAVAILABLE : letter == 'T' ? AUTH_TEMPORARY
		: letter == 'L' ? AUTH_LIST : AUTH_OK;
	if (letter == 'C' || letter == 'D')
		reply.challenge = SPAN("more");
	if (reply.status == AUTH_OK) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		fake.worker_end = fds[0];
		reply.session_fd = fds[1];
	}
	reply.mechanisms = SPAN("PLAIN LOGIN");
	return reply;
}

static bool answer_request(struct channel *channel, size_t which, const void *message)
{
	if (which == 2) {
		struct account_answer answer = {.existence = ACCOUNT_IS_UNKNOWN};
		return channel_send(channel, &account_answer_type, &answer) == 0;
	}
	if (which == 0) {
		const struct auth_start *start = message;
		memset(fake.mechanism, 0, sizeof fake.mechanism);
		memcpy(fake.mechanism, start->mechanism.ptr, start->mechanism.len);
		fake.lists += span_equal(start->mechanism, SPAN("LIST"));
	} else if (((const struct auth_continue *)message)->abort) {
		struct auth_reply refused = {.status = AUTH_FAILED, .session_fd = -1};
		fake.aborts++;
		return channel_send(channel, &auth_reply_type, &refused) == 0;
	}
	fake.asked++;
	if (fake.replies[0] == 'X')
		return false;
	struct auth_reply reply = next_reply();
	bool sent = channel_send(channel, &auth_reply_type, &reply) == 0;
	if (reply.session_fd >= 0)
		close(reply.session_fd);
	return sent;
}

static void serve(void *arg)
{
	static const struct message_type *const types[] = {
		&auth_start_type, &auth_continue_type, &account_question_type};
	struct channel *channel = arg;
	size_t which;
	void *message;
	while (channel_receive(channel, types, ARRAY_LEN(types), TASK_FOREVER, &which, &message) == 0)
		if (!answer_request(channel, which, message) ||
			channel_flush(channel, TASK_FOREVER) != 0)
			break;
	channel_free(channel);
}

static struct channel *take(void *arg, task_time deadline)
{
	int fds[2];
	(void)arg;
	(void)deadline;
	fake.takes++;
	if (fake.no_auth)
		return NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	if (fake.dead_first && fake.takes == 1)
		close(fds[1]);
	else
		assert_non_null(task_spawn("auth", serve, channel_new(fds[1]), 0));
	return channel_new(fds[0]);
}

static void give(void *arg, struct channel *channel_take)
{
	(void)arg;
	fake.gives++;
	channel_free(channel_take);
}

static enum auth_answer ask(void *arg, struct span challenge, struct buf *answer)
{
	char letter = answers[0];
	(void)arg;
	assert_true(span_equal(challenge, SPAN("more")));
	challenges++;
	if (answers[1] != '\0')
		answers++;
	if (letter == '*')
		return AUTH_TAKEN_BACK;
	for (int i = 0; letter == 'B' && i <= AUTH_RESPONSE_MAX; i++)
		buf_append_char(answer, 'x');
	buf_append_cstr(answer, "answer");
	return letter == 'G' ? AUTH_CLIENT_GONE : AUTH_ANSWERED;
}

static struct auth_client client = {.service = SPAN("imap"), .take = take, .give = give};

static const struct {
	const char *name, *replies, *answers;
	enum auth_end end;
	unsigned challenges, aborts, gives;
} rows[] = {
	{"right at once", "O", "G", AUTH_END_OK, 0, 0, 1},
	{"right after two challenges", "CCO", "A", AUTH_END_OK, 2, 0, 1},
	{"data comes with success", "D", "A", AUTH_END_OK, 1, 0, 1},
	{"the data is refused by the client", "D", "*", AUTH_END_TAKEN_BACK, 1, 0, 1},
	{"the client goes when data comes", "CD", "AG", AUTH_END_CLIENT_GONE, 2, 0, 1},
	{"wrong", "CF", "A", AUTH_END_REFUSED, 1, 0, 1},
	{"no such mechanism", "U", "A", AUTH_END_UNAVAILABLE, 0, 0, 1},
	{"auth cannot tell", "T", "A", AUTH_END_TEMPORARY, 0, 0, 1},
	{"auth says what it was not asked", "L", "A", AUTH_END_TEMPORARY, 0, 0, 1},
	{"the client takes it back", "CO", "*", AUTH_END_TAKEN_BACK, 1, 1, 1},
	{"the client answers too much", "CO", "B", AUTH_END_TAKEN_BACK, 1, 1, 1},
	{"the client goes", "CO", "G", AUTH_END_CLIENT_GONE, 1, 0, 0},
	{"auth goes in the midst of it", "CX", "A", AUTH_END_TEMPORARY, 1, 0, 0},
	{"challenges without an end", "C", "A", AUTH_END_TAKEN_BACK, 20, 1, 1},
};

static enum auth_end log_in(const char *mechanism, const struct buf *response, int *ret_fd)
{
	struct auth_outcome outcome = {.user = BUF_INIT(100)};
	struct auth_login login = {
		.mechanism = span_from_cstr(mechanism), .client_fd = -1, .response = response, .ask = ask};
	enum auth_end end = auth_client_login(&client, &login, &outcome);
	if (end == AUTH_END_OK)
		assert_true(span_equal(buf_span(&outcome.user), SPAN("alice")));
	buf_done(&outcome.user);
	*ret_fd = outcome.session_fd;
	return end;
}

static void begin(const char *replies, const char *client_answers)
{
	memset(&fake, 0, sizeof fake);
	fake.replies = replies;
	fake.worker_end = -1;
	answers = client_answers;
	challenges = 0;
}

/* Nobody holds the other end of the worker's socket. */
static bool is_closed(int fd)
{
	char byte;
	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void check_ends(void)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd;
		begin(rows[i].replies, rows[i].answers);
		enum auth_end end = log_in("scram-Sha-1", NULL, &fd);
		task_yield();
		if (end != rows[i].end || challenges != rows[i].challenges ||
			fake.aborts != rows[i].aborts || fake.gives != rows[i].gives)
			fail_msg("%s: end %d, %u challenges, %u aborts, %u channels back",
				rows[i].name, (int)end, challenges, fake.aborts, fake.gives);
		assert_string_equal(fake.mechanism, "SCRAM-SHA-1");
		assert_true((fd >= 0) == (end == AUTH_END_OK));
		if (fd >= 0)
			close(fd);
		if (fake.worker_end < 0)
			continue;
		assert_true(is_closed(fake.worker_end));
		close(fake.worker_end);
	}
}

static void check_channels(void)
{
	int fd;
	begin("F", "A");
	fake.dead_first = true; /* one that lay idle while auth was replaced */
	assert_int_equal(log_in("PLAIN", NULL, &fd), AUTH_END_REFUSED);
	assert_int_equal(fake.takes, 2);
	begin("X", "A"); /* auth dies of it: not tried for ever */
	assert_int_equal(log_in("PLAIN", NULL, &fd), AUTH_END_TEMPORARY);
	assert_int_equal(fake.takes, 2);
	begin("O", "A");
	fake.no_auth = true;
	assert_int_equal(log_in("PLAIN", NULL, &fd), AUTH_END_TEMPORARY);
	assert_int_equal(auth_client_account(&client, SPAN("alice")), ACCOUNT_CANNOT_TELL);
	begin("O", "A");
	assert_int_equal(auth_client_account(&client, SPAN("alice")), ACCOUNT_IS_UNKNOWN);
}

static void check_limits(void)
{
	struct buf response = BUF_INIT(8);
	char mechanism[66] = "";
	int fd;
	begin("O", "A");
	auth_plain_response(SPAN("alice"), SPAN("secret"), &response);
	assert_int_equal(log_in("PLAIN", &response, &fd), AUTH_END_REFUSED);
	memset(mechanism, 'x', sizeof mechanism - 1);
	assert_int_equal(log_in(mechanism, NULL, &fd), AUTH_END_UNAVAILABLE);
	assert_int_equal(fake.asked, 0);
	buf_done(&response);
	buf_init(&response, 100);
	auth_plain_response(SPAN("alice"), SPAN("secret"), &response);
	assert_true(span_equal(buf_span(&response), SPAN("\0alice\0secret")));
	buf_wipe(&response);
}

static void check_mechanisms(void)
{
	begin("L", "A");
	fake.no_auth = true;
	assert_int_equal(auth_client_mechanisms(&client, false).len, 0);
	fake.no_auth = false;
	for (int i = 0; i < 3; i++)
		assert_true(span_equal(auth_client_mechanisms(&client, true), SPAN("PLAIN LOGIN")));
	assert_int_equal(fake.lists, 1);
	assert_true(span_equal(auth_client_mechanisms(&client, false), SPAN("PLAIN LOGIN")));
	assert_int_equal(fake.lists, 2);
	client.mechanisms[true].until = 0; /* a minute later, and auth is away: the old ones */
	fake.no_auth = true;
	assert_true(span_equal(auth_client_mechanisms(&client, true), SPAN("PLAIN LOGIN")));
	auth_client_done(&client);
}

static void (*const checks[])(void) = {check_ends, check_channels, check_limits, check_mechanisms};

static void run_checks(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(checks); i++)
		checks[i]();
}

static void test_all(void **state)
{
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("checks", run_checks, NULL, 256 * 1024));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
