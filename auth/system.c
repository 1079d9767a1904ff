/* See system.h. pam_unix refuses to verify others' passwords for a process that is not root, so
 * membership in group shadow is what auth lives on; PAM serves hosts that keep accounts elsewhere.
 * SPDX-License-Identifier: ISC */
#include "auth/system.h"

#include <security/pam_appl.h>
#include <shadow.h>
#include <stdlib.h>
#include <time.h>

#include "auth/password.h"
#include "base/memory.h"

#define SHADOW_BUFFER 8192
#define DAY (24 * 3600)

static const char *pam_service = "tambo";

void system_use_service(const char *name)
{
	pam_service = name;
}

static bool expired(const struct spwd *entry)
{
	long today = (long)(time(NULL) / DAY);
	return entry->sp_expire >= 0 && today >= entry->sp_expire;
}

static enum system_result ask_shadow(const char *user, struct span password)
{
	struct spwd entry, *found = NULL;
	char *space = memory_alloc(SHADOW_BUFFER);
	enum system_result result = SYSTEM_UNAVAILABLE;
	if (getspnam_r(user, &entry, space, SHADOW_BUFFER, &found) == 0 && found != NULL) {
		struct span stored = span_from_cstr(entry.sp_pwdp);
		bool locked = span_is_empty(stored) || span_starts_with(stored, SPAN("!")) ||
			span_starts_with(stored, SPAN("*")) || span_starts_with(stored, SPAN("{"));
		if (locked || expired(&entry))
			result = SYSTEM_REFUSED;
		else
			result = password_verify(stored, password) == PASSWORD_MATCHES ? SYSTEM_MATCHES
										       : SYSTEM_WRONG;
	}
	memory_wipe(space, SHADOW_BUFFER);
	free(space);
	return result;
}

/* Answers PAM's one question, for the password; anything else gets an empty answer. */
static int converse(int count, const struct pam_message **messages,
	struct pam_response **ret_replies, void *password)
{
	if (count <= 0 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	struct pam_response *replies = memory_zalloc((size_t)count, sizeof *replies);
	for (int i = 0; i < count; i++)
		if (messages[i]->msg_style == PAM_PROMPT_ECHO_OFF)
			replies[i].resp = memory_dup_cstr(password);
	*ret_replies = replies;
	return PAM_SUCCESS;
}

static enum system_result pam_result(int status)
{
	switch (status) {
	case PAM_SUCCESS:
		return SYSTEM_MATCHES;
	case PAM_AUTH_ERR:
	case PAM_USER_UNKNOWN:
	case PAM_MAXTRIES:
		return SYSTEM_WRONG;
	case PAM_ACCT_EXPIRED:
	case PAM_NEW_AUTHTOK_REQD:
	case PAM_PERM_DENIED:
		return SYSTEM_REFUSED;
	default:
		return SYSTEM_UNAVAILABLE;
	}
}

static enum system_result ask_pam(const char *user, const char *password)
{
	pam_handle_t *pam = NULL;
	char *secret = memory_dup_cstr(password);
	struct pam_conv conversation = {.conv = converse, .appdata_ptr = secret};
	int status = pam_start(pam_service, user, &conversation, &pam);
	if (status == PAM_SUCCESS)
		status = pam_authenticate(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (status == PAM_SUCCESS)
		status = pam_acct_mgmt(pam, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (pam != NULL)
		pam_end(pam, status);
	memory_wipe(secret, strlen(secret));
	free(secret);
	return pam_result(status);
}

enum system_result system_verify(struct span user, struct span password)
{
	if (span_is_empty(password) || span_find_char(password, '\0') != SIZE_MAX)
		return SYSTEM_WRONG;
	char *name = span_dup_cstr(user), *secret = span_dup_cstr(password);
	enum system_result result = ask_shadow(name, password);
	if (result == SYSTEM_UNAVAILABLE)
		result = ask_pam(name, secret);
	memory_wipe(secret, password.len);
	free(secret);
	free(name);
	return result;
}
