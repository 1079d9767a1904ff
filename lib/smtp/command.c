/* See command.h. SPDX-License-Identifier: ISC */
#include "smtp/command.h"

#include "base/ascii.h"
#include "base/check.h"
#include "mail/xtext.h"

#define ENVID_MAX 100        /* RFC 3461 section 4.4 */
#define ORCPT_MAX 500        /* RFC 3461 section 4.2 */
#define AUTH_PARAMETER_MAX 500

static const char *const verb_names[SMTP_VERB_COUNT] = {
	[SMTP_UNKNOWN] = "UNKNOWN",
	[SMTP_EMPTY] = "UNKNOWN",
	[SMTP_HELO] = "HELO",
	[SMTP_EHLO] = "EHLO",
	[SMTP_LHLO] = "LHLO",
	[SMTP_STARTTLS] = "STARTTLS",
	[SMTP_AUTH] = "AUTH",
	[SMTP_MAIL] = "MAIL",
	[SMTP_RCPT] = "RCPT",
	[SMTP_DATA] = "DATA",
	[SMTP_BDAT] = "BDAT",
	[SMTP_RSET] = "RSET",
	[SMTP_NOOP] = "NOOP",
	[SMTP_VRFY] = "VRFY",
	[SMTP_ETRN] = "ETRN",
	[SMTP_QUIT] = "QUIT",
	[SMTP_HELP] = "HELP",
};

const char *smtp_verb_name(enum smtp_verb verb)
{
	CHECK(verb < SMTP_VERB_COUNT);
	return verb_names[verb];
}

void smtp_command_parse(struct span line, struct smtp_command *ret_command)
{
	struct span rest = line, name;

	*ret_command = (struct smtp_command){.verb = SMTP_UNKNOWN, .name = SPAN_EMPTY,
		.arguments = SPAN_EMPTY};
	if (!span_token(&rest, " \t\r\n\v\f", &name)) {
		ret_command->verb = SMTP_EMPTY;
		return;
	}
	ret_command->name = name;
	ret_command->arguments = span_trim(rest);
	for (int verb = SMTP_HELO; verb < SMTP_VERB_COUNT; verb++)
		if (span_equal_nocase(name, span_from_cstr(verb_names[verb])))
			ret_command->verb = (enum smtp_verb)verb;
}

bool smtp_name_is_header(struct span name)
{
	size_t colon = span_find_char(name, ':');

	if (colon == SIZE_MAX || colon == 0)
		return false;
	for (size_t i = 0; i < colon; i++)
		if (!ascii_is_graph(name.ptr[i]))
			return false;
	return true;
}

struct parameter {
	struct span whole, keyword, value;
	bool has_value;
};

/* The next "keyword[=value]"; false when none is left. */
static bool next_parameter(struct span *rest, struct parameter *ret)
{
	if (!span_token(rest, " \t", &ret->whole))
		return false;
	size_t equals = span_find_char(ret->whole, '=');
	ret->has_value = equals != SIZE_MAX;
	ret->keyword = span_head(ret->whole, equals);
	ret->value = ret->has_value ? span_skip(ret->whole, equals + 1) : SPAN_EMPTY;
	return true;
}

static bool keyword_is(const struct parameter *parameter, const char *keyword)
{
	return span_equal_nocase(parameter->keyword, span_from_cstr(keyword));
}

/* The decoded xtext, printable, at most max bytes; false when it is something else. */
static bool decode_printable(struct span text, size_t max, struct arena *arena, struct span *ret)
{
	struct buf decoded = BUF_INIT(max);
	bool good = xtext_decode(text, &decoded) && !decoded.overflow &&
		span_is_printable(buf_span(&decoded));

	if (good) {
		*ret = arena_dup(arena, buf_span(&decoded));
		good = ret->len == decoded.len;
	}
	buf_done(&decoded);
	return good;
}

/* Skips "FROM:" or "TO:" (white space around the colon is tolerated unless strict). */
static bool skip_keyword(struct span *rest, const char *word, bool strict)
{
	struct span keyword = span_from_cstr(word);

	if (!span_starts_with_nocase(*rest, keyword))
		return false;
	struct span after = span_skip(*rest, keyword.len);
	if (!strict)
		after = span_trim(after);
	if (after.len == 0 || after.ptr[0] != ':')
		return false;
	*rest = span_skip(after, 1);
	return true;
}

static enum smtp_result parse_path(struct span *rest, unsigned path_flags, unsigned flags,
	struct arena *arena, struct mail_address *ret_address)
{
	if ((flags & SMTP_STRICT) == 0)
		path_flags |= MAIL_PATH_BARE;
	switch (mail_path_parse(rest, path_flags, arena, ret_address)) {
	case MAIL_PATH_OK:
		break;
	case MAIL_PATH_NON_ASCII:
		return SMTP_RESULT_NOT_UTF8;
	case MAIL_PATH_SYNTAX:
	case MAIL_PATH_TOO_LONG:
	case MAIL_PATH_BAD_DOMAIN:
	case MAIL_PATH_IS_EMPTY:
		return SMTP_RESULT_ADDRESS;
	}
	if (rest->len > 0 && rest->ptr[0] != ' ' && rest->ptr[0] != '\t')
		return SMTP_RESULT_ADDRESS;
	return SMTP_RESULT_OK;
}

/* True when SMTPUTF8 stands among the words behind the path. The path itself may need it, so this
 * is asked before the path is parsed; a quoted local part that holds the word does no harm, since
 * then the parameters are read again one by one. */
static bool asks_for_utf8(struct span rest)
{
	return span_has_word(rest, SPAN("SMTPUTF8"));
}

static enum smtp_result mail_size(const struct parameter *parameter, struct smtp_mail *mail)
{
	if (parameter->value.len == 0)
		return SMTP_RESULT_BAD_SIZE;
	for (size_t i = 0; i < parameter->value.len; i++)
		if (!ascii_is_digit(parameter->value.ptr[i]))
			return SMTP_RESULT_BAD_SIZE;
	if (!span_to_u64(parameter->value, INT64_MAX, &mail->size))
		return SMTP_RESULT_SIZE_OVERFLOW;
	mail->has_size = true;
	return SMTP_RESULT_OK;
}

static enum smtp_result mail_ret(const struct parameter *parameter, struct smtp_mail *mail)
{
	if (mail->ret != SMTP_RET_UNSAID)
		return SMTP_RESULT_BAD_RET;
	if (span_equal_nocase(parameter->value, SPAN("FULL")))
		mail->ret = SMTP_RET_FULL;
	else if (span_equal_nocase(parameter->value, SPAN("HDRS")))
		mail->ret = SMTP_RET_HEADERS;
	else
		return SMTP_RESULT_BAD_RET;
	return SMTP_RESULT_OK;
}

static enum smtp_result mail_auth(const struct parameter *parameter, struct arena *arena,
	struct smtp_mail *mail, bool *seen)
{
	if (*seen)
		return SMTP_RESULT_AUTH_TWICE;
	*seen = true;
	if (span_equal(parameter->value, SPAN("<>")))
		return SMTP_RESULT_OK;
	if (!decode_printable(parameter->value, AUTH_PARAMETER_MAX, arena, &mail->auth))
		return SMTP_RESULT_UNSUPPORTED;
	return SMTP_RESULT_OK;
}

static enum smtp_result mail_parameter(const struct parameter *parameter, unsigned flags,
	struct arena *arena, struct smtp_mail *mail, bool *auth_seen)
{
	if (keyword_is(parameter, "BODY")) {
		if (span_equal_nocase(parameter->value, SPAN("8BITMIME")))
			mail->body = SMTP_BODY_8BITMIME;
		else if (span_equal_nocase(parameter->value, SPAN("7BIT")))
			mail->body = SMTP_BODY_7BIT;
		else
			return SMTP_RESULT_UNSUPPORTED;
		return SMTP_RESULT_OK;
	}
	if (keyword_is(parameter, "SIZE") && parameter->has_value)
		return mail_size(parameter, mail);
	if (keyword_is(parameter, "SMTPUTF8") && !parameter->has_value &&
		(flags & SMTP_NO_UTF8) == 0) {
		mail->smtputf8 = true;
		return SMTP_RESULT_OK;
	}
	if (keyword_is(parameter, "AUTH") && parameter->has_value)
		return mail_auth(parameter, arena, mail, auth_seen);
	if (keyword_is(parameter, "RET") && parameter->has_value) {
		if ((flags & SMTP_NO_DSN) != 0)
			return SMTP_RESULT_DSN_DISABLED;
		return mail_ret(parameter, mail);
	}
	if (keyword_is(parameter, "ENVID") && parameter->has_value) {
		if ((flags & SMTP_NO_DSN) != 0)
			return SMTP_RESULT_DSN_DISABLED;
		if (mail->envid.len > 0 || parameter->value.len == 0 ||
			!decode_printable(parameter->value, ENVID_MAX, arena, &mail->envid))
			return SMTP_RESULT_BAD_ENVID;
		return SMTP_RESULT_OK;
	}
	return SMTP_RESULT_UNSUPPORTED;
}

enum smtp_result smtp_mail_parse(struct span arguments, unsigned flags, struct arena *arena,
	struct smtp_mail *ret)
{
	struct smtp_mail mail = {.envid = SPAN_EMPTY, .auth = SPAN_EMPTY,
		.bad_parameter = SPAN_EMPTY};
	struct span rest = arguments;
	struct parameter parameter;
	bool auth_seen = false;
	unsigned path_flags = MAIL_PATH_EMPTY | MAIL_PATH_NO_DOMAIN;

	if (!skip_keyword(&rest, "FROM", (flags & SMTP_STRICT) != 0) || span_trim(rest).len == 0)
		return SMTP_RESULT_SYNTAX;
	bool any_utf8 = (flags & SMTP_ANY_UTF8) != 0;
	if (any_utf8 || ((flags & SMTP_NO_UTF8) == 0 && asks_for_utf8(rest)))
		path_flags |= MAIL_PATH_UTF8;
	enum smtp_result result = parse_path(&rest, path_flags, flags, arena, &mail.sender);
	while (result == SMTP_RESULT_OK && next_parameter(&rest, &parameter)) {
		result = mail_parameter(&parameter, flags, arena, &mail, &auth_seen);
		if (result == SMTP_RESULT_UNSUPPORTED)
			ret->bad_parameter = parameter.whole;
	}
	if (result == SMTP_RESULT_OK && !mail.smtputf8 && !any_utf8 &&
		!span_is_ascii(mail.sender.full))
		result = SMTP_RESULT_NOT_UTF8;
	if (result == SMTP_RESULT_OK)
		*ret = mail;
	return result;
}

/* RFC 3461 section 4.1: NEVER alone, or a list of the others. */
static enum smtp_result rcpt_notify(const struct parameter *parameter, struct smtp_rcpt *rcpt)
{
	static const struct {
		const char *word;
		uint32_t bit;
	} words[] = {{"NEVER", SMTP_NOTIFY_NEVER}, {"SUCCESS", SMTP_NOTIFY_SUCCESS},
		{"FAILURE", SMTP_NOTIFY_FAILURE}, {"DELAY", SMTP_NOTIFY_DELAY}};
	struct span rest = parameter->value;

	if (rcpt->notify != 0 || rest.len == 0)
		return SMTP_RESULT_BAD_NOTIFY;
	while (rest.ptr != NULL) {
		struct span word = span_split(&rest, ',');
		uint32_t bit = 0;
		for (size_t i = 0; i < ARRAY_LEN(words); i++)
			if (span_equal_nocase(word, span_from_cstr(words[i].word)))
				bit = words[i].bit;
		if (bit == 0)
			return SMTP_RESULT_BAD_NOTIFY;
		rcpt->notify |= bit;
	}
	if ((rcpt->notify & SMTP_NOTIFY_NEVER) != 0 && rcpt->notify != SMTP_NOTIFY_NEVER)
		return SMTP_RESULT_BAD_NOTIFY;
	return SMTP_RESULT_OK;
}

/* RFC 3461 section 4.2: addr-type ";" xtext. */
static enum smtp_result rcpt_orcpt(const struct parameter *parameter, struct arena *arena,
	struct smtp_rcpt *rcpt)
{
	struct buf decoded = BUF_INIT(ORCPT_MAX);
	enum smtp_result result = SMTP_RESULT_BAD_ORCPT;

	if (rcpt->orcpt.len == 0 && orcpt_decode(parameter->value, &decoded) && !decoded.overflow &&
		decoded.len > 0 && span_is_printable(buf_span(&decoded))) {
		rcpt->orcpt = arena_dup(arena, buf_span(&decoded));
		if (rcpt->orcpt.len == decoded.len)
			result = SMTP_RESULT_OK;
	}
	buf_done(&decoded);
	return result;
}

static enum smtp_result rcpt_parameter(const struct parameter *parameter, unsigned flags,
	struct arena *arena, struct smtp_rcpt *rcpt)
{
	bool notify = keyword_is(parameter, "NOTIFY") && parameter->has_value;
	bool orcpt = keyword_is(parameter, "ORCPT") && parameter->has_value;

	if (!notify && !orcpt)
		return SMTP_RESULT_UNSUPPORTED;
	if ((flags & SMTP_NO_DSN) != 0)
		return SMTP_RESULT_DSN_DISABLED;
	return notify ? rcpt_notify(parameter, rcpt) : rcpt_orcpt(parameter, arena, rcpt);
}

enum smtp_result smtp_rcpt_parse(struct span arguments, unsigned flags, struct arena *arena,
	struct smtp_rcpt *ret)
{
	struct smtp_rcpt rcpt = {.orcpt = SPAN_EMPTY, .bad_parameter = SPAN_EMPTY};
	struct span rest = arguments;
	struct parameter parameter;
	unsigned path_flags = MAIL_PATH_NO_DOMAIN;

	if (!skip_keyword(&rest, "TO", (flags & SMTP_STRICT) != 0) || span_trim(rest).len == 0)
		return SMTP_RESULT_SYNTAX;
	if ((flags & SMTP_IN_UTF8) != 0)
		path_flags |= MAIL_PATH_UTF8;
	enum smtp_result result = parse_path(&rest, path_flags, flags, arena, &rcpt.recipient);
	if (result == SMTP_RESULT_OK && rcpt.recipient.full.len == 0)
		result = SMTP_RESULT_ADDRESS; /* <""> */
	while (result == SMTP_RESULT_OK && next_parameter(&rest, &parameter)) {
		result = rcpt_parameter(&parameter, flags, arena, &rcpt);
		if (result == SMTP_RESULT_UNSUPPORTED)
			ret->bad_parameter = parameter.whole;
	}
	if (result == SMTP_RESULT_OK)
		*ret = rcpt;
	return result;
}
