/* The field tables of the messages of service/auth.h.
 * SPDX-License-Identifier: ISC */
#include "service/auth.h"

#include "service/types.h"

#define NAME_MAX_BYTES 1024     /* a login name, an address, a tag */
#define RESPONSE_MAX 12288      /* RFC 4954 4: a base64 line of 12,288; decoded it is less */
#define PATH_MAX_BYTES 4096
#define INPUT_MAX (128 * 1024)

static const struct field auth_start_fields[] = {
	FIELD(FIELD_SPAN, auth_start, service, 64),
	FIELD(FIELD_SPAN, auth_start, mechanism, 64),
	FIELD(FIELD_BOOL, auth_start, has_response, 0),
	FIELD(FIELD_SPAN, auth_start, response, RESPONSE_MAX),
	FIELD(FIELD_SPAN, auth_start, local_address, NAME_MAX_BYTES),
	FIELD(FIELD_FD, auth_start, client_fd, 0),
	FIELD(FIELD_BOOL, auth_start, tls, 0),
};
MESSAGE_TYPE(auth_start_type, MESSAGE_AUTH_START, 3, auth_start, auth_start_fields);

static const struct field auth_continue_fields[] = {
	FIELD(FIELD_SPAN, auth_continue, response, RESPONSE_MAX),
	FIELD(FIELD_BOOL, auth_continue, abort, 0),
};
MESSAGE_TYPE(auth_continue_type, MESSAGE_AUTH_CONTINUE, 1, auth_continue, auth_continue_fields);

static const struct field auth_reply_fields[] = {
	FIELD(FIELD_U32, auth_reply, status, AUTH_LIST),
	FIELD(FIELD_SPAN, auth_reply, challenge, RESPONSE_MAX),
	FIELD(FIELD_SPAN, auth_reply, user, NAME_MAX_BYTES),
	FIELD(FIELD_SPAN, auth_reply, text, NAME_MAX_BYTES),
	FIELD(FIELD_SPAN, auth_reply, mechanisms, NAME_MAX_BYTES),
	FIELD(FIELD_FD, auth_reply, session_fd, 0),
};
MESSAGE_TYPE(auth_reply_type, MESSAGE_AUTH_REPLY, 1, auth_reply, auth_reply_fields);

static const struct field account_question_fields[] = {
	FIELD(FIELD_SPAN, account_question, user, NAME_MAX_BYTES),
};
MESSAGE_TYPE(account_question_type, MESSAGE_ACCOUNT_QUESTION, 1, account_question,
	account_question_fields);

static const struct field account_answer_fields[] = {
	FIELD(FIELD_U32, account_answer, existence, ACCOUNT_CANNOT_TELL),
};
MESSAGE_TYPE(account_answer_type, MESSAGE_ACCOUNT_ANSWER, 1, account_answer, account_answer_fields);

static const struct field session_user_fields[] = {
	FIELD(FIELD_SPAN, session_user, user, NAME_MAX_BYTES),
	FIELD(FIELD_SPAN, session_user, home, PATH_MAX_BYTES),
	FIELD(FIELD_SPAN, session_user, mailbox, PATH_MAX_BYTES),
	FIELD(FIELD_BOOL, session_user, maildir, 0),
	FIELD(FIELD_SPAN, session_user, remote_address, NAME_MAX_BYTES),
	FIELD(FIELD_SPAN, session_user, local_address, NAME_MAX_BYTES),
	FIELD(FIELD_BOOL, session_user, tls, 0),
};
MESSAGE_TYPE(session_user_type, MESSAGE_SESSION_USER, 1, session_user, session_user_fields);

static const struct field session_start_fields[] = {
	FIELD(FIELD_FD, session_start, client_fd, 0),
	FIELD(FIELD_SPAN, session_start, tag, NAME_MAX_BYTES),
	FIELD(FIELD_SPAN, session_start, command, 64),
	FIELD(FIELD_SPAN, session_start, input, INPUT_MAX),
	FIELD(FIELD_SPAN, session_start, client_id, 8192),
};
MESSAGE_TYPE(session_start_type, MESSAGE_SESSION_START, 2, session_start, session_start_fields);

static const struct field session_begun_fields[] = {
	FIELD(FIELD_BOOL, session_begun, begun, 0),
};
MESSAGE_TYPE(session_begun_type, MESSAGE_SESSION_BEGUN, 1, session_begun, session_begun_fields);
