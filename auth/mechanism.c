/* See mechanism.h. Cyrus gets passwords to check through its checkpass callback (PLAIN, LOGIN), and
 * secrets for SCRAM and CRAM-MD5 through an auxprop plugin of ours; no file of Cyrus' own is asked.
 * INVARIANT: one exchange belongs to one task; Cyrus' connections share nothing that a step holds
 * while it waits.
 * SPDX-License-Identifier: ISC */
#include "auth/mechanism.h"

#include <errno.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdlib.h>

#include "auth/gate.h"
#include "auth/password.h"
#include "auth/throttle.h"
#include "base/ascii.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "task/task.h"

#define MECHANISM_MAX 64
#define REASON_MAX 512
#define LOGIN_MAX 1024
#define RESPONSE_MAX 1000 /* of mechanisms with passwords; Cyrus takes names of 1024 bytes */
#define GATE_TIMEOUT_MS (60 * 1000)

struct exchange {
	sasl_callback_t callbacks[2]; /* as long as sasl lives */
	struct list_node node;
	sasl_conn_t *sasl;
	struct buf login, reason, remote, secret;
	char mechanism[MECHANISM_MAX];
	struct account account;
	struct gate *gate; /* held while a password is looked at */
	bool braked; /* in this step */
	bool started, named, found, temporary, checked, verified;
};

static struct accounts *all_accounts;
static struct list_node exchanges = LIST_INIT(exchanges);
static char *wanted_mechanisms, *offered_mechanisms;

static struct exchange *find_exchange(const sasl_conn_t *sasl)
{
	LIST_FOREACH(node, &exchanges) {
		struct exchange *exchange = LIST_ENTRY(node, struct exchange, node);
		if (exchange->sasl == sasl)
			return exchange;
	}
	return NULL;
}

/* --- what Cyrus asks us --- */

/* Waits as long as earlier failures make it. False: too many others wait too. */
static bool brake(struct exchange *exchange, struct span login)
{
	if (exchange->braked)
		return true; /* Cyrus asks for the user more than once in a step */
	struct buf network = BUF_INIT(512);
	throttle_network(buf_span(&exchange->remote), &network);
	if (exchange->gate == NULL)
		exchange->gate = gate_enter(buf_span(&network), task_deadline(GATE_TIMEOUT_MS));
	buf_done(&network);
	if (exchange->gate == NULL) {
		buf_append_cstr(&exchange->reason, "too many logins at once from this address");
		exchange->temporary = true;
		return false;
	}
	int64_t delay = throttle_delay(buf_span(&exchange->remote), login, task_now());
	if (delay > 0)
		task_sleep(delay);
	exchange->braked = true;
	return true;
}

static enum verify_status find_user(struct exchange *exchange, struct span login)
{
	buf_reset(&exchange->login);
	buf_reset(&exchange->reason);
	buf_append(&exchange->login, span_head(login, LOGIN_MAX));
	exchange->found = false;
	if (!brake(exchange, login))
		return VERIFY_TEMPORARY;
	enum verify_status status = verify_find(all_accounts, login, &exchange->account,
		&exchange->reason);
	exchange->found = status == VERIFY_OK;
	exchange->temporary = status == VERIFY_TEMPORARY;
	return status;
}

static int check_password(sasl_conn_t *sasl, void *context, const char *user, const char *password,
	unsigned password_len, struct propctx *properties)
{
	struct exchange *exchange = context;
	struct span secret = span_new(password, password_len);
	(void)sasl;
	(void)properties;
	enum verify_status status = find_user(exchange, span_from_cstr(user));
	if (status == VERIFY_OK)
		status = verify_password(&exchange->account, secret, &exchange->reason);
	else if (status != VERIFY_TEMPORARY)
		verify_nothing(secret);
	exchange->checked = true;
	exchange->temporary = status == VERIFY_TEMPORARY;
	exchange->verified = status == VERIFY_OK;
	buf_wipe(&exchange->secret);
	buf_append(&exchange->secret, secret); /* for the brake: the same wrong one again */
	return exchange->verified ? SASL_OK : exchange->temporary ? SASL_UNAVAIL : SASL_BADAUTH;
}

static void set_secret(sasl_server_params_t *params, const char *name, struct span value)
{
	params->utils->prop_set(params->propctx, name, value.ptr, (int)value.len);
}

/* Fills "*userPassword" and "*authPassword", the ones a mechanism asked for, from
 * what is stored. */
static bool give_secrets(struct exchange *exchange, sasl_server_params_t *params)
{
	struct span stored = buf_span(&exchange->account.password), plain;
	const struct propval *wanted = params->utils->prop_get(params->propctx);
	bool given = false;
	for (; wanted != NULL && wanted->name != NULL; wanted++) {
		struct span name = span_from_cstr(wanted->name);
		struct buf scram = BUF_INIT(2048);
		if (span_equal(name, SPAN("*userPassword")) && password_plain(stored, &plain)) {
			set_secret(params, wanted->name, plain);
			given = true;
		} else if (span_equal(name, SPAN("*authPassword")) &&
			password_scram(stored, span_from_cstr(exchange->mechanism), &scram)) {
			set_secret(params, wanted->name, buf_span(&scram));
			given = true;
		}
		buf_wipe(&scram);
	}
	return given;
}

static int lookup_secret(void *context, sasl_server_params_t *params, unsigned flags,
	const char *user, unsigned len)
{
	(void)context;
	struct exchange *exchange = find_exchange(params->utils->conn);
	if (exchange == NULL)
		return SASL_FAIL;
	if (flags & SASL_AUXPROP_AUTHZID)
		return SASL_OK; /* nothing is kept about whom one acts for */
	if (exchange->checked) /* a password that was refused is not compared once more */
		return exchange->temporary ? SASL_UNAVAIL : SASL_NOUSER;
	enum verify_status status = find_user(exchange, span_new(user, len));
	if (status == VERIFY_TEMPORARY)
		return SASL_UNAVAIL;
	if (status != VERIFY_OK)
		return SASL_NOUSER;
	if (exchange->account.has_password && give_secrets(exchange, params))
		return SASL_OK;
	if (span_is_empty(buf_span(&exchange->reason)))
		buf_append_format(&exchange->reason, "the stored password does not serve for %s",
			exchange->mechanism);
	return SASL_NOUSER;
}

static sasl_auxprop_plug_t secrets_plugin = {.auxprop_lookup = lookup_secret, .name = NULL};

static int secrets_init(const sasl_utils_t *utils, int max_version, int *out_version,
	sasl_auxprop_plug_t **plugin, const char *name)
{
	static char plugin_name[] = "tambo";
	(void)utils;
	(void)name;
	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	secrets_plugin.name = plugin_name;
	*out_version = SASL_AUXPROP_PLUG_VERSION;
	*plugin = &secrets_plugin;
	return SASL_OK;
}

static int get_option(void *context, const char *plugin, const char *option, const char **result,
	unsigned *len)
{
	static const struct {
		struct span name;
		const char *value;
	} options[] = {{SPAN("auxprop_plugin"), "tambo"}, {SPAN("pwcheck_method"), "auxprop"},
		{SPAN("auto_transition"), "no"}, {SPAN("log_level"), "1"}};
	(void)context;
	(void)plugin;
	struct span name = span_from_cstr(option);
	const char *value = span_equal(name, SPAN("mech_list")) ? wanted_mechanisms : NULL;
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (span_equal(name, options[i].name))
			value = options[i].value;
	if (value == NULL)
		return SASL_FAIL;
	*result = value;
	if (len != NULL)
		*len = (unsigned)strlen(value);
	return SASL_OK;
}

static int log_message(void *context, int level, const char *message)
{
	(void)context;
	(void)level;
	log_debug(NULL, "sasl: %s", message);
	return SASL_OK;
}

typedef int sasl_callback_fn(void); /* Cyrus' own signature for a table of mixed functions */
#define CALLBACK(fn) ((sasl_callback_fn *)(void (*)(void))(fn))

static const sasl_callback_t library_callbacks[] = {
	{SASL_CB_GETOPT, CALLBACK(get_option), NULL},
	{SASL_CB_LOG, CALLBACK(log_message), NULL},
	{SASL_CB_LIST_END, NULL, NULL},
};

/* --- life --- */

static void list_offered(void)
{
	sasl_conn_t *sasl = NULL;
	const char *names = NULL;
	struct buf list = BUF_INIT(1024);
	/* LOGIN and PLAIN count as they would under TLS: the fronts decide when to offer them. */
	if (sasl_server_new("smtp", "localhost", NULL, NULL, NULL, NULL, 0, &sasl) == SASL_OK &&
		sasl_listmech(sasl, NULL, "", " ", "", &names, NULL, NULL) == SASL_OK)
		buf_append_cstr(&list, names);
	sasl_dispose(&sasl);
	offered_mechanisms = buf_steal(&list);
}

int mechanism_open(struct accounts *accounts, const char *mechanisms)
{
	struct buf list = BUF_INIT(1024);
	struct span rest = span_from_cstr(mechanisms), word;
	while (span_token(&rest, " \t,", &word)) {
		if (list.len > 0)
			buf_append_char(&list, ' ');
		for (size_t i = 0; i < word.len; i++)
			buf_append_char(&list, ascii_upper(word.ptr[i]));
	}
	wanted_mechanisms = buf_steal(&list);
	all_accounts = accounts;
	int status = sasl_auxprop_add_plugin("tambo", secrets_init);
	if (status == SASL_OK)
		status = sasl_server_init(library_callbacks, "tambo");
	if (status != SASL_OK) {
		log_error(NULL, "cannot start Cyrus SASL: %s", sasl_errstring(status, NULL, NULL));
		return -EINVAL;
	}
	list_offered();
	if (offered_mechanisms[0] == '\0') {
		log_error(NULL, "no SASL mechanism of \"%s\" can be had: is libsasl2-modules installed?",
			wanted_mechanisms);
		return -EINVAL;
	}
	return 0;
}

const char *mechanism_list(void)
{
	return offered_mechanisms;
}

enum verify_status mechanism_account_exists(struct span user, struct buf *reason)
{
	return verify_exists(all_accounts, user, reason);
}

struct exchange *exchange_new(const struct exchange_request *request)
{
	static const sasl_security_properties_t security = {.max_ssf = 0, .maxbufsize = 0};
	struct exchange *exchange = NEW(struct exchange);
	exchange->callbacks[0] = (sasl_callback_t){SASL_CB_SERVER_USERDB_CHECKPASS,
		CALLBACK(check_password), exchange};
	exchange->callbacks[1] = (sasl_callback_t){SASL_CB_LIST_END, NULL, NULL};
	buf_init(&exchange->login, LOGIN_MAX);
	buf_init(&exchange->reason, REASON_MAX);
	buf_init(&exchange->remote, 256);
	buf_init(&exchange->secret, 2048);
	account_init(&exchange->account);
	buf_append(&exchange->remote, span_head(request->remote_address, 256));
	size_t len = request->mechanism.len < MECHANISM_MAX ? request->mechanism.len : 0;
	for (size_t i = 0; i < len; i++)
		exchange->mechanism[i] = ascii_upper(request->mechanism.ptr[i]);
	int status = sasl_server_new(request->service, "localhost", NULL, NULL, NULL,
		exchange->callbacks, SASL_SUCCESS_DATA, &exchange->sasl);
	list_append(&exchanges, &exchange->node);
	if (status == SASL_OK)
		status = sasl_setprop(exchange->sasl, SASL_SEC_PROPS, &security);
	if (status == SASL_OK && request->tls) {
		sasl_ssf_t strength = 128;
		status = sasl_setprop(exchange->sasl, SASL_SSF_EXTERNAL, &strength);
	}
	if (status == SASL_OK)
		return exchange;
	log_error(NULL, "cannot start a SASL exchange: %s", sasl_errstring(status, NULL, NULL));
	exchange_free(exchange);
	return NULL;
}

void exchange_free(struct exchange *exchange)
{
	if (exchange == NULL)
		return;
	list_remove(&exchange->node);
	gate_leave(exchange->gate);
	sasl_dispose(&exchange->sasl);
	account_done(&exchange->account);
	buf_wipe(&exchange->secret);
	buf_done(&exchange->login);
	buf_done(&exchange->reason);
	buf_done(&exchange->remote);
	free(exchange);
}

static enum exchange_status finish(struct exchange *exchange, int status)
{
	const void *user = NULL;
	if (status == SASL_OK && exchange->found &&
		sasl_getprop(exchange->sasl, SASL_USERNAME, &user) == SASL_OK && user != NULL) {
		throttle_success(buf_span(&exchange->remote), buf_span(&exchange->login), task_now());
		return EXCHANGE_OK;
	}
	if (span_is_empty(buf_span(&exchange->reason)))
		buf_append_cstr(&exchange->reason, sasl_errstring(status, NULL, NULL));
	if (exchange->temporary || status == SASL_NOMEM || status == SASL_UNAVAIL)
		return EXCHANGE_TEMPORARY;
	if (status == SASL_NOMECH || status == SASL_TOOWEAK || status == SASL_ENCRYPT)
		return EXCHANGE_UNAVAILABLE;
	throttle_failure(buf_span(&exchange->remote), buf_span(&exchange->login),
		buf_span(&exchange->secret), task_now());
	return EXCHANGE_FAILED;
}

/* Asked by us too: Cyrus SASL takes LOGIN-PLUS for LOGIN, and leaks when it then refuses it. */
static bool is_offered(const char *mechanism)
{
	struct span names = span_from_cstr(offered_mechanisms), name;
	while (span_token(&names, " ", &name))
		if (span_equal(name, span_from_cstr(mechanism)))
			return true;
	return false;
}

static bool mechanism_takes_a_password(const char *mechanism)
{
	static const char *const names[] = {"PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strncmp(mechanism, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

/* Cyrus' PLAIN and LOGIN lose memory when they cannot make a user of the name, because it is too
 * long, or white space stands around it: a stranger could fill this process. Such a name does not
 * get there: false, or the response is trimmed. */
static bool make_harmless(struct exchange *exchange, struct span *response)
{
	if (!mechanism_takes_a_password(exchange->mechanism))
		return true;
	if (response->len > RESPONSE_MAX)
		return false;
	if (strcmp(exchange->mechanism, "LOGIN") != 0 || exchange->named ||
		(!exchange->started && response->len == 0))
		return true;
	exchange->named = true;
	*response = span_trim(*response);
	return response->len > 0 && span_is_printable(*response);
}

enum exchange_status exchange_step(struct exchange *exchange, const struct span *response,
	struct span *ret_challenge)
{
	const char *out = NULL;
	unsigned out_len = 0;
	const char *in = NULL;
	unsigned in_len = 0;
	int status;
	if (!exchange->started && !is_offered(exchange->mechanism))
		return EXCHANGE_UNAVAILABLE;
	struct span given = response == NULL ? SPAN_EMPTY : *response;
	if (response != NULL && !make_harmless(exchange, &given)) {
		*ret_challenge = SPAN_EMPTY;
		return finish(exchange, SASL_BADPROT);
	}
	if (response != NULL) {
		in = given.ptr;
		in_len = (unsigned)given.len;
	}
	/* SCRAM looked the user up in its first step; the proof, which may be a guess, comes in the
	 * next. */
	if (exchange->started && exchange->login.len > 0 &&
		!brake(exchange, buf_span(&exchange->login)))
		return EXCHANGE_TEMPORARY;
	if (exchange->started)
		status = sasl_server_step(exchange->sasl, in, in_len, &out, &out_len);
	else
		status = sasl_server_start(exchange->sasl, exchange->mechanism, in, in_len, &out, &out_len);
	exchange->started = true;
	*ret_challenge = out == NULL ? SPAN_EMPTY : span_new(out, out_len);
	enum exchange_status outcome = status == SASL_CONTINUE ? EXCHANGE_CONTINUE
							       : finish(exchange, status);
	gate_leave(exchange->gate);
	exchange->gate = NULL;
	exchange->braked = false;
	return outcome;
}

struct span exchange_login(const struct exchange *exchange)
{
	return buf_span(&exchange->login);
}

struct span exchange_reason(const struct exchange *exchange)
{
	return buf_span(&exchange->reason);
}

const struct account *exchange_account(const struct exchange *exchange)
{
	return &exchange->account;
}

struct span exchange_tree(const struct exchange *exchange)
{
	return account_tree(all_accounts, &exchange->account);
}
