/* One peer's exchanges, one after the other (service/auth.h, RFC 4422). After a login for IMAP or
 * POP3 the session is opened in the worker of the account's uid, and the peer gets that worker's
 * socket. Every failure is logged at once, with address, user and mechanism.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/mechanism.h"
#include "auth/verify.h"
#include "base/arena.h"
#include "base/check.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "net/socket.h"
#include "service/auth.h"

#define REPLY_TIMEOUT_MS (30 * 1000)
#define CLIENT_TIMEOUT_MS (10 * 60 * 1000) /* the front has a shorter one */
#define WORKER_TIMEOUT_MS (30 * 1000)
#define WORKER_ATTEMPTS 3
#define WORKER_PAUSE_MS 50
#define REQUEST_MEMORY 32768

/* The request, kept while the channel's own copy goes. */
struct request {
	struct arena arena;
	struct span service, mechanism, remote_address, local_address;
	bool tls;
};

static int send_reply(struct channel *channel, const struct auth_reply *reply)
{
	int status = channel_send(channel, &auth_reply_type, reply);
	return status != 0 ? status : channel_flush(channel, task_deadline(REPLY_TIMEOUT_MS));
}

static int reply_status(struct channel *channel, enum auth_status status, struct span text)
{
	struct auth_reply reply = {.status = status, .text = span_head(text, 500), .session_fd = -1};
	return send_reply(channel, &reply);
}

/* --- opening the session --- */

/* The daemon that keeps this service's workers; NULL for one without (smtp). */
static const char *worker_service(struct span service)
{
	if (span_equal(service, SPAN("imap")))
		return "imapd";
	return span_equal(service, SPAN("pop3")) ? "pop3d" : NULL;
}

static int try_to_open(const struct request *request, const struct exchange *exchange, int *ret_fd)
{
	struct channel *channel;
	const struct account *account = exchange_account(exchange);
	struct daemon_worker worker = {.service = worker_service(request->service),
		.uid = account->uid, .gid = account->gid, .tree = exchange_tree(exchange)};
	struct session_user user = {
		.user = buf_span(&account->name),
		.home = buf_span(&account->home),
		.mailbox = buf_span(&account->mailbox),
		.maildir = account->maildir,
		.remote_address = request->remote_address,
		.local_address = request->local_address,
		.tls = request->tls,
	};
	int status = daemon_connect_worker(&worker, task_deadline(WORKER_TIMEOUT_MS), &channel);
	if (status != 0)
		return status;
	status = channel_send(channel, &session_user_type, &user);
	if (status == 0)
		status = channel_flush(channel, task_deadline(WORKER_TIMEOUT_MS));
	if (status != 0) {
		channel_free(channel);
		return status;
	}
	*ret_fd = channel_release(channel, NULL);
	return 0;
}

/* A worker that has just died may be the one that master knows: once more, with a new one. */
static int open_session(const struct request *request, const struct exchange *exchange, int *ret_fd)
{
	for (int attempt = 1;; attempt++) {
		int status = try_to_open(request, exchange, ret_fd);
		if ((status != -EPIPE && status != -ECONNRESET) || attempt == WORKER_ATTEMPTS
			|| task_sleep(WORKER_PAUSE_MS * attempt) != 0)
			return status;
	}
}

static int reply_ok(struct channel *channel, const struct request *request,
	struct exchange *exchange, struct span challenge)
{
	const struct account *account = exchange_account(exchange);
	struct auth_reply reply = {.status = AUTH_OK, .challenge = challenge,
		.user = buf_span(&account->name), .session_fd = -1};
	if (worker_service(request->service) != NULL) {
		int status = account->maildir ? open_session(request, exchange, &reply.session_fd)
					      : -EOPNOTSUPP;
		if (status != 0) {
			log_error(NULL, "%.*s: cannot open the mailbox %.*s of uid %u: %s",
				SPAN_ARGS(reply.user), SPAN_ARGS(buf_span(&account->mailbox)),
				(unsigned)account->uid, status == -EOPNOTSUPP ?
				"it is no Maildir (its path does not end in /)" : strerror(-status));
			return reply_status(channel, AUTH_TEMPORARY, SPAN("the mailbox cannot be opened"));
		}
	}
	log_info(NULL, "%.*s login: user=<%.*s>, method=%.*s, rip=%.*s, lip=%.*s%s",
		SPAN_ARGS(request->service), SPAN_ARGS(reply.user), SPAN_ARGS(request->mechanism),
		SPAN_ARGS(request->remote_address), SPAN_ARGS(request->local_address),
		request->tls ? ", TLS" : "");
	int status = send_reply(channel, &reply);
	if (reply.session_fd >= 0)
		close(reply.session_fd);
	return status;
}

static int reply_failure(struct channel *channel, const struct request *request,
	struct exchange *exchange, enum exchange_status outcome)
{
	struct span login = exchange_login(exchange), reason = exchange_reason(exchange);
	log_warning(NULL, "%.*s login failed: user=<%.*s>, method=%.*s, rip=%.*s, lip=%.*s: %.*s",
		SPAN_ARGS(request->service), SPAN_ARGS(login), SPAN_ARGS(request->mechanism),
		SPAN_ARGS(request->remote_address), SPAN_ARGS(request->local_address),
		SPAN_ARGS(reason));
	if (outcome == EXCHANGE_TEMPORARY)
		return reply_status(channel, AUTH_TEMPORARY, reason);
	if (outcome == EXCHANGE_UNAVAILABLE)
		return reply_status(channel, AUTH_UNAVAILABLE, reason);
	struct auth_reply reply = {.status = AUTH_FAILED, .user = login, .text = reason,
		.session_fd = -1};
	return send_reply(channel, &reply);
}

/* --- the exchange --- */

static int ask_client(
	struct channel *channel, struct span challenge, struct auth_continue **ret_next)
{
	struct auth_reply reply = {.status = AUTH_CONTINUE, .challenge = challenge, .session_fd = -1};
	void *message;
	int status = channel_call(channel, &auth_reply_type, &reply, &auth_continue_type,
		task_deadline(CLIENT_TIMEOUT_MS), &message);
	if (status == 0)
		*ret_next = message;
	return status;
}

static int run_exchange(struct channel *channel, const struct request *request,
	const struct span *response, struct exchange *exchange)
{
	struct span challenge;
	enum exchange_status outcome = exchange_step(exchange, response, &challenge);
	while (outcome == EXCHANGE_CONTINUE) {
		struct auth_continue *next;
		int status = ask_client(channel, challenge, &next);
		if (status != 0)
			return status;
		if (next->abort)
			return reply_status(channel, AUTH_FAILED, SPAN("aborted by the client"));
		outcome = exchange_step(exchange, &next->response, &challenge);
	}
	if (outcome == EXCHANGE_OK)
		return reply_ok(channel, request, exchange, challenge);
	return reply_failure(channel, request, exchange, outcome);
}

static const char *known_service(struct span service)
{
	static const char *const services[] = {"smtp", "imap", "pop3"};
	for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
		if (span_equal(service, span_from_cstr(services[i])))
			return services[i];
	return NULL;
}

static int answer_start(struct channel *channel, struct request *request,
	const struct auth_start *start)
{
	const char *service = known_service(start->service);
	struct exchange_request wanted = {.service = service, .mechanism = request->mechanism,
		.remote_address = request->remote_address, .tls = request->tls};
	if (service == NULL)
		return -EBADMSG;
	if (span_equal(start->mechanism, SPAN("LIST"))) {
		struct auth_reply reply = {.status = AUTH_LIST,
			.mechanisms = span_from_cstr(mechanism_list()), .session_fd = -1};
		return send_reply(channel, &reply);
	}
	struct exchange *exchange = exchange_new(&wanted);
	if (exchange == NULL)
		return reply_status(channel, AUTH_TEMPORARY, SPAN("internal error"));
	int status = run_exchange(channel, request, start->has_response ? &start->response : NULL,
		exchange);
	exchange_free(exchange);
	return status;
}

/* PRIV: the brake goes by the client's address; a front that has been taken over could claim any,
 * so auth asks the kernel. Connections that have none share one name, and so one brake. */
static struct span client_address(int client_fd, struct arena *arena)
{
	struct address peer;
	struct buf text = BUF_INIT(128);
	if (client_fd >= 0 && socket_peer_address(client_fd, &peer) == 0)
		address_format(&peer, &text);
	else
		buf_append_cstr(&text, "unknown");
	struct span copy = arena_dup(arena, buf_span(&text));
	buf_done(&text);
	return copy;
}

static int serve_exchange(struct channel *channel, const struct auth_start *start)
{
	struct request request = {0};
	arena_init(&request.arena, REQUEST_MEMORY);
	request.remote_address = client_address(start->client_fd, &request.arena);
	if (start->client_fd >= 0)
		close(start->client_fd);
	request.service = arena_dup(&request.arena, start->service);
	request.mechanism = arena_dup(&request.arena, start->mechanism);
	request.local_address = arena_dup(&request.arena, start->local_address);
	request.tls = start->tls;
	int status = answer_start(channel, &request, start);
	arena_done(&request.arena);
	return status;
}

/* PRIV: whoever may ask learns this much at RCPT TO anyway, and nothing more. */
static int answer_question(struct channel *channel, const struct account_question *question)
{
	struct account_answer answer = {.existence = ACCOUNT_CANNOT_TELL};
	struct buf problem = BUF_INIT(1024);
	switch (mechanism_account_exists(question->user, &problem)) {
	case VERIFY_OK:
	case VERIFY_WRONG:
	case VERIFY_REFUSED:
		answer.existence = ACCOUNT_EXISTS;
		break;
	case VERIFY_UNKNOWN:
		answer.existence = ACCOUNT_IS_UNKNOWN;
		break;
	case VERIFY_TEMPORARY:
		log_warning(NULL, "account %.*s: %s", SPAN_ARGS(span_head(question->user, 100)),
			buf_cstr(&problem));
		break;
	}
	buf_done(&problem);
	int status = channel_send(channel, &account_answer_type, &answer);
	return status != 0 ? status : channel_flush(channel, task_deadline(REPLY_TIMEOUT_MS));
}

void auth_serve(struct channel *channel_take, const char *peer)
{
	static const struct message_type *const types[] = {&auth_start_type, &account_question_type};
	struct channel *channel = channel_take;
	int status = 0;
	while (status == 0) {
		void *message;
		size_t which;
		status = daemon_wait_request(channel);
		if (status == 0)
			status = channel_receive(channel, types, ARRAY_LEN(types),
				task_deadline(REPLY_TIMEOUT_MS), &which, &message);
		if (status != 0)
			break;
		status = which == 0 ? serve_exchange(channel, message)
				    : answer_question(channel, message);
	}
	if (status == -EBADMSG)
		log_warning(NULL, "%s sent a broken message", peer);
	channel_free(channel);
}
