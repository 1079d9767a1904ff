/* One SASL exchange (RFC 4422) by Cyrus SASL, with our accounts behind it. Steps run in the task:
 * where Cyrus asks us for a user or a password, the task waits for the thread pool.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_MECHANISM_H
#define TAMBO_AUTH_MECHANISM_H

#include "auth/verify.h"

struct exchange;

/* Loads the plugins: in prepare(). mechanisms: names to offer, separated by spaces or commas. 0, or
 * -EINVAL (logged). */
int mechanism_open(struct accounts *accounts, const char *mechanisms);
/* Those of the configured mechanisms that can be had, separated by spaces; "" for none. */
const char *mechanism_list(void);

/* verify_exists() for the accounts that mechanism_open() was given. */
enum verify_status mechanism_account_exists(struct span user, struct buf *reason);

struct exchange_request {
	const char *service;  /* "smtp", "imap", "pop3" */
	struct span mechanism;
	struct span remote_address;
	bool tls;
};

enum exchange_status {
	EXCHANGE_CONTINUE,
	EXCHANGE_OK,
	EXCHANGE_FAILED,
	EXCHANGE_UNAVAILABLE, /* no such mechanism */
	EXCHANGE_TEMPORARY,
};

/* NULL when Cyrus cannot make one. */
struct exchange *exchange_new(const struct exchange_request *request);
void exchange_free(struct exchange *exchange);
/* The next step. response: NULL when the client sent no initial response (first step only).
 * *ret_challenge lives until the next step; it is also set with EXCHANGE_OK (SCRAM's last word). */
enum exchange_status exchange_step(struct exchange *exchange, const struct span *response,
	struct span *ret_challenge);
/* Who the client said it is ("" when it did not come that far), and why it failed. */
struct span exchange_login(const struct exchange *exchange);
struct span exchange_reason(const struct exchange *exchange);
/* After EXCHANGE_OK. */
const struct account *exchange_account(const struct exchange *exchange);
struct span exchange_tree(const struct exchange *exchange); /* account_tree() of it */

#endif
