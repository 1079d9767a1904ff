/* The client half of auth (service/auth.h): one login from its first message to auth's last word,
 * and the list of mechanisms, kept for a minute. How a challenge reaches the client and how its
 * answer comes back is the protocol's affair: the room gives a function for that.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_AUTH_CLIENT_H
#define TAMBO_SERVICE_AUTH_CLIENT_H

#include "ipc/channel.h"
#include "service/auth.h"

/* Decoded; a response of more is none. */
#define AUTH_RESPONSE_MAX 12288

/* One for each service of a process; zeroed but for the first four fields. */
struct auth_client {
	struct span service; /* "smtp", "imap", "pop3" */
	void *arg;
	/* A channel to auth; NULL: none to be had. */
	struct channel *(*take)(void *arg, task_time deadline);
	/* Gets back a channel whose exchange has ended as it should. */
	void (*give)(void *arg, struct channel *channel_take);
	struct auth_mechanisms {
		struct buf names;
		task_time until;
	} mechanisms[2]; /* without and with TLS */
};

enum auth_answer {
	AUTH_ANSWERED,
	AUTH_TAKEN_BACK, /* the client sent "*", or nonsense */
	AUTH_CLIENT_GONE,
};

struct auth_login {
	struct span mechanism; /* in any case */
	struct span local_address;
	int client_fd; /* the client's connection, with or without TLS on it; stays the caller's */
	bool tls;
	/* The first response, decoded; NULL: none came with the command. The caller wipes it. */
	const struct buf *response;
	/* Sends a challenge and reads the client's answer, decoded, into *answer (empty, cap
	 * AUTH_RESPONSE_MAX, wiped by us). */
	enum auth_answer (*ask)(void *arg, struct span challenge, struct buf *answer);
	void *arg;
};

enum auth_end {
	AUTH_END_OK,
	AUTH_END_REFUSED,     /* or the response was too long */
	AUTH_END_UNAVAILABLE, /* there is no such mechanism, or not without TLS */
	AUTH_END_TEMPORARY,   /* auth cannot tell, or gives no answer */
	AUTH_END_TAKEN_BACK,
	AUTH_END_CLIENT_GONE,
};

struct auth_outcome {
	struct buf user; /* the caller's, with a cap: whose login it was, as far as auth told */
	int session_fd;  /* AUTH_END_OK of imap and pop3: the caller's; otherwise -1 */
};

/* Forgets the mechanisms. */
void auth_client_done(struct auth_client *client);

/* Data that comes with success (SCRAM's server signature) is a last challenge, which the client
 * answers with nothing (RFC 3501 6.2.2, RFC 4954 4, RFC 5034 4). */
enum auth_end auth_client_login(
	struct auth_client *client, const struct auth_login *login, struct auth_outcome *ret_outcome);

/* Appends the response of the mechanism PLAIN (RFC 4616). */
void auth_plain_response(struct span user, struct span password, struct buf *out);

/* The names, with spaces between; those of the last time when auth gives no answer. They live until
 * the next call. */
struct span auth_client_mechanisms(struct auth_client *client, bool tls);

/* Has this local user an account? */
enum account_existence auth_client_account(struct auth_client *client, struct span user);

#endif
