/* See verify.h.
 * SPDX-License-Identifier: ISC */
#include "auth/verify.h"

#include "auth/password.h"
#include "auth/system.h"
#include "task/task.h"

#define LOGIN_MAX 255

/* Stands in for the hash of an account that does not exist: SHA512-CRYPT with the usual 5,000
 * rounds. */
static const char nobody[] = "$6$tambotambotambo1$";

static int64_t first_uid, last_uid;

void verify_configure(int64_t first_valid_uid, int64_t last_valid_uid)
{
	first_uid = first_valid_uid;
	last_uid = last_valid_uid;
}

/* Master starts no worker for others, and such an account sends no mail through us either. */
static bool uid_is_valid(const struct accounts *accounts, uid_t uid)
{
	return accounts_single_user(accounts) ||
		((int64_t)uid >= first_uid && (last_uid == 0 || (int64_t)uid <= last_uid));
}

static bool login_is_sane(struct span login)
{
	return login.len > 0 && login.len <= LOGIN_MAX && span_is_printable(login) &&
		span_is_utf8(login);
}

enum verify_status verify_find(struct accounts *accounts, struct span login,
	struct account *ret_account, struct buf *reason)
{
	struct span unused;
	if (!login_is_sane(login)) {
		buf_append_cstr(reason, "malformed user name");
		return VERIFY_UNKNOWN;
	}
	switch (account_by_login(accounts, login, ret_account)) {
	case ACCOUNT_FOUND:
		break;
	case ACCOUNT_NOT_FOUND:
		buf_append_cstr(reason, "unknown user");
		return VERIFY_UNKNOWN;
	case ACCOUNT_TEMPORARY:
		buf_append(reason, buf_span(&ret_account->problem));
		return VERIFY_TEMPORARY;
	case ACCOUNT_UNUSABLE:
		buf_append(reason, buf_span(&ret_account->problem));
		return VERIFY_REFUSED;
	}
	if (account_extra(buf_span(&ret_account->extra), "nologin", &unused)) {
		buf_append_cstr(reason, "login is not allowed (nologin)");
		return VERIFY_REFUSED;
	}
	if (!uid_is_valid(accounts, ret_account->uid)) {
		buf_append_format(reason, "uid %u may not be used (first_valid_uid, last_valid_uid)",
			(unsigned)ret_account->uid);
		return VERIFY_REFUSED;
	}
	return VERIFY_OK;
}

enum verify_status verify_exists(struct accounts *accounts, struct span user, struct buf *reason)
{
	enum verify_status status = VERIFY_UNKNOWN;
	struct account account;
	if (!login_is_sane(user))
		return status;
	account_init(&account);
	switch (account_by_user(accounts, user, &account)) {
	case ACCOUNT_FOUND:
		status = VERIFY_OK;
		break;
	case ACCOUNT_NOT_FOUND:
		break;
	case ACCOUNT_TEMPORARY:
		status = VERIFY_TEMPORARY;
		break;
	case ACCOUNT_UNUSABLE:
		status = VERIFY_REFUSED;
		break;
	}
	buf_append(reason, buf_span(&account.problem));
	account_done(&account);
	return status;
}

struct work {
	struct span stored, password, user;
	bool system;
	enum password_result result;
	enum system_result system_result;
};

static void work_in_thread(void *arg)
{
	struct work *work = arg;
	if (work->system)
		work->system_result = system_verify(work->user, work->password);
	else
		work->result = password_verify(work->stored, work->password);
}

static enum verify_status system_status(enum system_result result, struct buf *reason)
{
	switch (result) {
	case SYSTEM_MATCHES:
		return VERIFY_OK;
	case SYSTEM_WRONG:
		buf_append_cstr(reason, "password mismatch");
		return VERIFY_WRONG;
	case SYSTEM_REFUSED:
		buf_append_cstr(reason, "account is locked or expired");
		return VERIFY_REFUSED;
	case SYSTEM_UNAVAILABLE:
		buf_append_cstr(reason, "neither /etc/shadow nor PAM can be asked");
		return VERIFY_TEMPORARY;
	}
	return VERIFY_TEMPORARY;
}

enum verify_status verify_password(const struct account *account, struct span password,
	struct buf *reason)
{
	struct work work = {.stored = buf_span(&account->password), .password = password,
		.user = buf_span(&account->name), .system = account->kind == ACCOUNT_SYSTEM};
	if (!work.system && !account->has_password) {
		buf_append_cstr(reason, "the account has no password");
		verify_nothing(password);
		return VERIFY_REFUSED;
	}
	/* Two thread switches cost more than a digest does. */
	if (!work.system && password_is_quick(work.stored))
		work_in_thread(&work);
	else
		task_offload(work_in_thread, &work);
	if (work.system)
		return system_status(work.system_result, reason);
	switch (work.result) {
	case PASSWORD_MATCHES:
		return VERIFY_OK;
	case PASSWORD_WRONG:
		buf_append_cstr(reason, "password mismatch");
		return VERIFY_WRONG;
	case PASSWORD_UNKNOWN_SCHEME:
		buf_append_cstr(reason, "the stored password has an unknown scheme or is broken");
		return VERIFY_TEMPORARY;
	}
	return VERIFY_TEMPORARY;
}

void verify_nothing(struct span password)
{
	struct work work = {.stored = span_from_cstr(nobody), .password = password};
	task_offload(work_in_thread, &work);
}
