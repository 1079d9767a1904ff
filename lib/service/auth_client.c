/* See auth_client.h.
 * SPDX-License-Identifier: ISC */
#include "service/auth_client.h"

#include <errno.h>
#include <unistd.h>

#include "base/ascii.h"

#define ANSWER_MS (90 * 1000) /* guessers are kept waiting */
#define MECHANISMS_MS (60 * 1000)
#define MECHANISMS_MAX 500
#define STEPS_MAX 20
#define MECHANISM_MAX 64

struct exchange {
	struct auth_client *client;
	const struct auth_login *login;
	struct channel *channel;
	const struct auth_reply *reply; /* auth's last; lives in the channel */
	struct buf answer;              /* secret */
};

/* The first message of an exchange. A channel that lay idle may end just now, because auth is being
 * replaced: then there is a new one. */
static int open_exchange(struct auth_client *client, const struct auth_start *start,
	struct channel **ret_channel, void **ret_message)
{
	int status = -EPIPE;
	for (int try = 0; try < 2; try++) {
		struct channel *channel = client->take(client->arg, task_deadline(ANSWER_MS));
		if (channel == NULL)
			return -EPIPE;
		status = channel_call(channel, &auth_start_type, start, &auth_reply_type,
			task_deadline(ANSWER_MS), ret_message);
		if (status == 0) {
			*ret_channel = channel;
			return 0;
		}
		channel_free(channel);
		if (status != -EPIPE)
			break;
	}
	return status;
}

static int send_start(struct exchange *exchange)
{
	const struct auth_login *login = exchange->login;
	char mechanism[MECHANISM_MAX] = "";
	struct span name = login->mechanism;
	struct auth_start start = {.service = exchange->client->service,
		.mechanism = span_new(mechanism, name.len),
		.has_response = login->response != NULL,
		.response = login->response != NULL ? buf_span(login->response) : SPAN_EMPTY,
		.local_address = login->local_address,
		.client_fd = login->client_fd,
		.tls = login->tls};
	void *message;
	for (size_t i = 0; i < name.len; i++)
		mechanism[i] = ascii_upper(name.ptr[i]);
	int status = open_exchange(exchange->client, &start, &exchange->channel, &message);
	if (status == 0)
		exchange->reply = message;
	return status;
}

static enum auth_answer ask_client(struct exchange *exchange)
{
	buf_wipe(&exchange->answer);
	enum auth_answer answer = exchange->login->ask(
		exchange->login->arg, exchange->reply->challenge, &exchange->answer);
	return answer == AUTH_ANSWERED && exchange->answer.overflow ? AUTH_TAKEN_BACK : answer;
}

static int send_answer(struct exchange *exchange, bool abort)
{
	struct auth_continue next = {
		.response = abort ? SPAN_EMPTY : buf_span(&exchange->answer), .abort = abort};
	void *message;
	int status = channel_call(exchange->channel, &auth_continue_type, &next, &auth_reply_type,
		task_deadline(ANSWER_MS), &message);
	buf_wipe(&exchange->answer);
	if (status == 0)
		exchange->reply = message;
	return status;
}

/* Goes on until auth has said its last word. 0, or -errno: the exchange was left in the middle. */
static int negotiate(struct exchange *exchange, enum auth_answer *ret_answer)
{
	int status = send_start(exchange);
	for (unsigned step = 0; status == 0 && exchange->reply->status == AUTH_CONTINUE; step++) {
		*ret_answer = step < STEPS_MAX ? ask_client(exchange) : AUTH_TAKEN_BACK;
		if (*ret_answer == AUTH_CLIENT_GONE)
			return -EPIPE;
		status = send_answer(exchange, *ret_answer == AUTH_TAKEN_BACK);
		if (status == 0 && *ret_answer == AUTH_TAKEN_BACK)
			return exchange->reply->status == AUTH_CONTINUE ? -EPROTO : 0;
	}
	return status;
}

static enum auth_end succeed(struct exchange *exchange, int *ret_session_fd)
{
	const struct auth_reply *reply = exchange->reply;
	enum auth_answer answer =
		reply->challenge.len > 0 ? ask_client(exchange) : AUTH_ANSWERED;
	if (answer == AUTH_ANSWERED) {
		*ret_session_fd = reply->session_fd;
		return AUTH_END_OK;
	}
	if (reply->session_fd >= 0)
		close(reply->session_fd);
	return answer == AUTH_TAKEN_BACK ? AUTH_END_TAKEN_BACK : AUTH_END_CLIENT_GONE;
}

static enum auth_end decide(struct exchange *exchange, struct auth_outcome *ret_outcome)
{
	buf_append(&ret_outcome->user, exchange->reply->user);
	switch ((enum auth_status)exchange->reply->status) {
	case AUTH_OK:
		return succeed(exchange, &ret_outcome->session_fd);
	case AUTH_FAILED:
		return AUTH_END_REFUSED;
	case AUTH_UNAVAILABLE:
		return AUTH_END_UNAVAILABLE;
	case AUTH_CONTINUE:
	case AUTH_TEMPORARY:
	case AUTH_LIST:
		break;
	}
	return AUTH_END_TEMPORARY;
}

enum auth_end auth_client_login(
	struct auth_client *client, const struct auth_login *login, struct auth_outcome *ret_outcome)
{
	struct exchange exchange = {
		.client = client, .login = login, .answer = BUF_INIT(AUTH_RESPONSE_MAX)};
	enum auth_answer answer = AUTH_ANSWERED;
	enum auth_end end = AUTH_END_TEMPORARY;
	ret_outcome->session_fd = -1;
	if (login->response != NULL && login->response->overflow)
		return AUTH_END_REFUSED;
	if (login->mechanism.len > MECHANISM_MAX)
		return AUTH_END_UNAVAILABLE;
	int status = negotiate(&exchange, &answer);
	if (answer == AUTH_TAKEN_BACK)
		end = AUTH_END_TAKEN_BACK;
	else if (answer == AUTH_CLIENT_GONE)
		end = AUTH_END_CLIENT_GONE;
	else if (status == 0)
		end = decide(&exchange, ret_outcome);
	/* An exchange that was left in the middle: auth sees the channel close. */
	if (status == 0)
		client->give(client->arg, exchange.channel);
	else
		channel_free(exchange.channel);
	buf_wipe(&exchange.answer);
	return end;
}

void auth_client_done(struct auth_client *client)
{
	for (int tls = 0; tls < 2; tls++)
		buf_done(&client->mechanisms[tls].names);
}

void auth_plain_response(struct span user, struct span password, struct buf *out)
{
	buf_append_char(out, '\0');
	buf_append(out, user);
	buf_append_char(out, '\0');
	buf_append(out, password);
}

struct span auth_client_mechanisms(struct auth_client *client, bool tls)
{
	struct auth_mechanisms *list = &client->mechanisms[tls];
	struct auth_start start = {.service = client->service,
		.mechanism = SPAN("LIST"),
		.response = SPAN_EMPTY,
		.local_address = SPAN_EMPTY,
		.client_fd = -1,
		.tls = tls};
	struct channel *channel;
	void *message;
	if (list->names.len > 0 && task_now() < list->until)
		return buf_span(&list->names);
	if (open_exchange(client, &start, &channel, &message) == 0) {
		const struct auth_reply *reply = message;
		if (reply->status == AUTH_LIST) {
			buf_wipe(&list->names);
			buf_init(&list->names, MECHANISMS_MAX);
			buf_append(&list->names, span_head(reply->mechanisms, MECHANISMS_MAX));
			list->until = task_deadline(MECHANISMS_MS);
		}
		client->give(client->arg, channel);
	}
	return buf_span(&list->names);
}

enum account_existence auth_client_account(struct auth_client *client, struct span user)
{
	struct account_question question = {.user = user};
	task_time deadline = task_deadline(ANSWER_MS);
	struct channel *channel = client->take(client->arg, deadline);
	void *message;
	if (channel == NULL)
		return ACCOUNT_CANNOT_TELL;
	if (channel_call(channel, &account_question_type, &question, &account_answer_type, deadline,
		    &message) != 0) {
		channel_free(channel);
		return ACCOUNT_CANNOT_TELL;
	}
	uint32_t existence = ((struct account_answer *)message)->existence;
	client->give(client->arg, channel);
	return existence == ACCOUNT_EXISTS || existence == ACCOUNT_IS_UNKNOWN
		       ? (enum account_existence)existence
		       : ACCOUNT_CANNOT_TELL;
}
