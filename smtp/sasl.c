/* See sasl.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/sasl.h"

#include <errno.h>
#include <sasl/sasl.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "smtp/settings.h"

#define CREDENTIAL_MAX 4096
#define CHALLENGE_MAX 12288
#define STEPS_MAX 20

struct login {
	struct credentials *credentials;
	sasl_secret_t *secret;
	sasl_conn_t *sasl;
};

int sasl_load(void)
{
	if (!settings.sasl_enable)
		return 0;
	int result = sasl_client_init(NULL);
	if (result == SASL_OK)
		return 0;
	log_fatal(NULL, "SASL client library cannot start: %s", sasl_errstring(result, NULL, NULL));
	return -EINVAL;
}

void credentials_init(struct credentials *credentials)
{
	*credentials = (struct credentials){BUF_INIT(CREDENTIAL_MAX), BUF_INIT(CREDENTIAL_MAX)};
}

void credentials_done(struct credentials *credentials)
{
	buf_wipe(&credentials->user);
	buf_wipe(&credentials->password);
}

static enum map_result ask_table(const struct connection *connection, const struct next_hop *hop,
	struct span sender, struct buf *value)
{
	enum map_result result = MAP_NOT_FOUND;
	struct span host = span_from_cstr(connection->host);
	if (settings.sasl_sender_dependent && sender.len > 0) {
		size_t at = span_find_last_char(sender, '@');
		result = map_list_lookup(settings.passwords, sender, value);
		if (result == MAP_NOT_FOUND && at != SIZE_MAX)
			result = map_list_lookup(settings.passwords, span_skip(sender, at), value);
	}
	if (result == MAP_NOT_FOUND)
		result = map_list_lookup(settings.passwords, host, value);
	if (result == MAP_NOT_FOUND)
		result = map_list_lookup(settings.passwords, hop->text, value);
	return result;
}

bool credentials_find(const struct connection *connection, const struct next_hop *hop,
	struct span sender, struct credentials *ret_credentials, bool *ret_found,
	struct problem *problem)
{
	struct buf value = BUF_INIT(2 * CREDENTIAL_MAX);
	enum map_result result = ask_table(connection, hop, sender, &value);
	*ret_found = result == MAP_FOUND;
	if (result == MAP_ERROR) {
		problem_set(problem, "4.3.0",
			"SASL authentication problem: password table lookup error");
	} else if (result == MAP_FOUND) {
		struct span text = span_trim(buf_span(&value));
		size_t at = span_find(text, span_from_cstr(settings.sasl_delimiter));
		buf_append(&ret_credentials->user, span_head(text, at));
		if (at != SIZE_MAX)
			buf_append(&ret_credentials->password,
				span_skip(text, at + strlen(settings.sasl_delimiter)));
		/* An empty user name means: none for this one. */
		*ret_found = ret_credentials->user.len > 0;
	}
	buf_wipe(&value);
	return result != MAP_ERROR;
}

static int give_user(void *context, int id, const char **ret_text, unsigned *ret_len)
{
	struct login *login = context;
	struct buf *user = &login->credentials->user;
	if (id != SASL_CB_USER && id != SASL_CB_AUTHNAME)
		return SASL_BADPARAM;
	/* No authorisation name: it is who logs in. */
	*ret_text = id == SASL_CB_USER ? "" : buf_cstr(user);
	if (ret_len != NULL)
		*ret_len = id == SASL_CB_USER ? 0 : (unsigned)user->len;
	return SASL_OK;
}

static int give_password(sasl_conn_t *sasl, void *context, int id, sasl_secret_t **ret_secret)
{
	struct login *login = context;
	if (sasl == NULL || id != SASL_CB_PASS || ret_secret == NULL)
		return SASL_BADPARAM;
	*ret_secret = login->secret;
	return SASL_OK;
}

static void make_secret(struct login *login)
{
	const struct buf *password = &login->credentials->password;
	login->secret = memory_zalloc(1, sizeof *login->secret + password->len + 1);
	login->secret->len = password->len;
	if (password->len > 0)
		memcpy(login->secret->data, password->ptr, password->len);
}

static unsigned security_flags(const struct connection *connection)
{
	static const struct {
		const char *name;
		unsigned flag;
	} names[] = {
		{"noplaintext", SASL_SEC_NOPLAINTEXT},
		{"noactive", SASL_SEC_NOACTIVE},
		{"nodictionary", SASL_SEC_NODICTIONARY},
		{"noanonymous", SASL_SEC_NOANONYMOUS},
		{"mutual_auth", SASL_SEC_MUTUAL_AUTH},
		{"forward_secrecy", SASL_SEC_FORWARD_SECRECY},
	};
	const char *text = !connection->tls ? settings.sasl_options :
		connection->verified	    ? settings.sasl_tls_verified_options :
					      settings.sasl_tls_options;
	struct span rest = span_from_cstr(text), word;
	unsigned flags = 0;
	while (span_token(&rest, ", \t", &word))
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (span_equal_nocase(word, span_from_cstr(names[i].name)))
				flags |= names[i].flag;
	return flags;
}

/* smtp_sasl_mechanism_filter: "plain, login", "!gssapi, static:rest"-like words, first match wins.
 * */
static bool filter_allows(struct span mechanism)
{
	struct span rest = span_from_cstr(settings.sasl_mechanism_filter), word;
	bool any = false;
	while (span_token(&rest, ", \t", &word)) {
		bool not = word.ptr[0] == '!';
		any = true;
		word = span_skip(word, not ? 1 : 0);
		if (span_equal_nocase(word, mechanism) ||
			span_equal_nocase(word, SPAN("static:rest")) ||
			span_equal_nocase(word, SPAN("static:all")))
			return !not;
	}
	return !any;
}

static void filter_mechanisms(const struct connection *connection, struct buf *out)
{
	struct span rest = buf_span(&connection->offer.mechanisms), word;
	while (span_token(&rest, " ", &word)) {
		/* What Kerberos would do here: wait for a KDC in the loop. */
		bool blocks = span_equal(word, SPAN("GSSAPI")) ||
			      span_equal(word, SPAN("GS2-KRB5")) ||
			      span_equal(word, SPAN("EXTERNAL"));
		if (blocks || !filter_allows(word))
			continue;
		if (out->len > 0)
			buf_append_char(out, ' ');
		buf_append(out, word);
	}
}

/* "AUTH MECH [initial]" or a response; the initial response "=" stands for empty. */
static bool send_bytes(struct connection *connection, const char *mechanism, const char *bytes,
	unsigned len, struct problem *problem)
{
	struct buf line = BUF_INIT(2 * CHALLENGE_MAX);
	if (mechanism != NULL)
		buf_append_format(&line, "AUTH %s%s", mechanism, bytes != NULL ? " " : "");
	if (mechanism != NULL && bytes != NULL && len == 0)
		buf_append_char(&line, '=');
	if (bytes != NULL)
		base64_encode(span_new(bytes, len), &line);
	bool good = connection_ask(connection, settings.helo_timeout,
		"performing the AUTH exchange", problem, buf_span(&line));
	buf_wipe(&line);
	return good;
}

static bool step(struct login *login, struct connection *connection, struct problem *problem)
{
	struct span line = buf_span(&connection->reply.text);
	struct buf challenge = BUF_INIT(CHALLENGE_MAX);
	const char *out = NULL;
	unsigned out_len = 0;
	bool good = base64_decode(span_trim(span_skip(line, 4)), &challenge);
	int result = SASL_BADPROT;
	if (good)
		result = sasl_client_step(login->sasl, buf_cstr(&challenge),
			(unsigned)challenge.len, NULL, &out, &out_len);
	buf_wipe(&challenge);
	if (result == SASL_OK || result == SASL_CONTINUE)
		return send_bytes(connection, NULL, out == NULL ? "" : out, out_len, problem);
	char *detail = memory_dup_cstr(sasl_errdetail(login->sasl));
	/* RFC 4954: a lone "*" gives up. */
	if (connection_ask(connection, settings.helo_timeout, "performing the AUTH exchange",
		    problem, SPAN("*")))
		problem_set(problem, "4.7.0", "SASL authentication failed; cannot authenticate to "
					      "server %s: %s",
			connection->label, detail);
	free(detail);
	return false;
}

static bool converse(struct login *login, struct connection *connection, struct problem *problem)
{
	for (int steps = 0; connection->reply.code == 334; steps++) {
		if (steps == STEPS_MAX) {
			connection->broken = true;
			problem_set(problem, "4.7.0",
				"SASL authentication failed; server %s never ends",
				connection->label);
			return false;
		}
		if (!step(login, connection, problem))
			return false;
	}
	if (smtp_reply_class(&connection->reply) == 2)
		return true;
	problem_set_reply(problem, span_from_cstr(connection->host), &connection->reply,
		"SASL authentication failed; server %s said: %.*s", connection->label,
		SPAN_ARGS(buf_span(&connection->reply.text)));
	if (settings.sasl_soft_bounce)
		problem_soften(problem);
	return false;
}

static bool start(struct login *login, struct connection *connection, struct problem *problem)
{
	sasl_security_properties_t properties = {.max_ssf = 0, .maxbufsize = 0,
		.security_flags = security_flags(connection)};
	struct buf mechanisms = BUF_INIT(SMTP_AUTH_MECHANISMS_MAX);
	const char *out = NULL, *mechanism = NULL;
	unsigned out_len = 0;
	sasl_setprop(login->sasl, SASL_SEC_PROPS, &properties);
	filter_mechanisms(connection, &mechanisms);
	int result = mechanisms.len == 0 ? SASL_NOMECH
					 : sasl_client_start(login->sasl, buf_cstr(&mechanisms),
						   NULL, &out, &out_len, &mechanism);
	buf_done(&mechanisms);
	if (result == SASL_OK || result == SASL_CONTINUE)
		return send_bytes(connection, mechanism, out, out_len, problem) &&
			converse(login, connection, problem);
	problem_set(problem, "4.7.0",
		"SASL authentication failed; cannot authenticate to server %s: %s",
		connection->label,
		result == SASL_NOMECH ? "no mechanism available" : sasl_errdetail(login->sasl));
	return false;
}

bool sasl_login(struct connection *connection, struct credentials *credentials,
	struct problem *problem)
{
	struct login login = {.credentials = credentials};
	sasl_callback_t callbacks[] = {
		{SASL_CB_USER, (int (*)(void))(void (*)(void))give_user, &login},
		{SASL_CB_AUTHNAME, (int (*)(void))(void (*)(void))give_user, &login},
		{SASL_CB_PASS, (int (*)(void))(void (*)(void))give_password, &login},
		{SASL_CB_LIST_END, NULL, NULL},
	};
	bool good = false;
	make_secret(&login);
	if (sasl_client_new(settings.lmtp ? "lmtp" : "smtp", connection->host, NULL, NULL,
		    callbacks, 0, &login.sasl) == SASL_OK)
		good = start(&login, connection, problem);
	else
		problem_set(problem, "4.7.0", "SASL authentication failed: per-session client "
					      "initialization");
	sasl_dispose(&login.sasl);
	memory_wipe(login.secret->data, login.secret->len);
	free(login.secret);
	connection->authenticated = good;
	return good;
}
