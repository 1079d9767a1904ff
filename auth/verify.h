/* A login and its password against the accounts: who it is, or why not.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_VERIFY_H
#define TAMBO_AUTH_VERIFY_H

#include "account/account.h"

enum verify_status {
	VERIFY_OK,
	VERIFY_UNKNOWN,   /* no such account: the peer is told the same as for WRONG */
	VERIFY_WRONG,
	VERIFY_REFUSED,   /* known, but may not log in (nologin, locked, expired, unusable) */
	VERIFY_TEMPORARY, /* a table or PAM could not be asked */
};

/* Looks the login up; VERIFY_OK: *ret_account (initialised by the caller) is filled. May wait.
 * reason: text for the log when it is not OK. */
enum verify_status verify_find(struct accounts *accounts, struct span login,
	struct account *ret_account, struct buf *reason);
/* Is there an account for this local user (no domain, no extension)? VERIFY_OK, VERIFY_REFUSED
 * (there, but unusable), VERIFY_UNKNOWN or VERIFY_TEMPORARY. May wait. */
enum verify_status verify_exists(struct accounts *accounts, struct span user, struct buf *reason);
/* Logins whose uid lies outside are refused (first_valid_uid, last_valid_uid; last 0: no limit). */
void verify_configure(int64_t first_valid_uid, int64_t last_valid_uid);
/* Checks the password, in the thread pool. */
enum verify_status verify_password(const struct account *account, struct span password,
	struct buf *reason);
/* Spends about the time of one verification, so that an unknown account looks like a known one. */
void verify_nothing(struct span password);

#endif
