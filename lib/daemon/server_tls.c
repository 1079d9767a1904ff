/* See server_tls.h.
 * SPDX-License-Identifier: ISC */
#include "daemon/server_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "sys/fd.h"

#define PEM_MAX (256 * 1024)
#define PAIRS_MAX 4

struct names {
	const char *security_level, *use_tls, *enforce_tls;
	const char *cert_file, *key_file, *chain_files, *eccert_file, *eckey_file;
	const char *protocols, *mandatory_protocols, *ciphers, *mandatory_ciphers, *exclude_ciphers;
	bool wrapper, auth_only, server_order;
};

static const struct setting table[] = {
	SETTING("%s_tls_security_level", SETTING_STRING, names, security_level),
	SETTING("%s_tls_cert_file", SETTING_STRING, names, cert_file),
	SETTING("%s_tls_key_file", SETTING_STRING, names, key_file),
	SETTING("%s_tls_chain_files", SETTING_STRING, names, chain_files),
	SETTING("%s_tls_protocols", SETTING_STRING, names, protocols),
	SETTING("%s_tls_mandatory_protocols", SETTING_STRING, names, mandatory_protocols),
	SETTING("%s_tls_ciphers", SETTING_STRING, names, ciphers),
	SETTING("%s_tls_mandatory_ciphers", SETTING_STRING, names, mandatory_ciphers),
	SETTING("%s_tls_exclude_ciphers", SETTING_STRING, names, exclude_ciphers),
	SETTING("%s_tls_wrappermode", SETTING_BOOL, names, wrapper),
	SETTING("%s_tls_auth_only", SETTING_BOOL, names, auth_only),
	SETTING("tls_preempt_cipherlist", SETTING_BOOL, names, server_order),
};

struct material {
	struct buf pem[PAIRS_MAX * 2];
	size_t pem_count;
	struct tls_settings settings;
	int error; /* of the first file that could not be read */
};

static struct span read_pem(struct material *material, const char *path)
{
	if (material->pem_count == ARRAY_LEN(material->pem)) {
		log_error(NULL, "%s: more than %d certificate files", path, PAIRS_MAX * 2);
		material->error = -E2BIG;
		return SPAN_EMPTY;
	}
	struct buf *pem = &material->pem[material->pem_count++];
	buf_init(pem, PEM_MAX);
	int status = daemon_read_file(path, PEM_MAX, pem);
	if (status != 0) {
		log_error(NULL, "cannot read %s: %s", path, strerror(-status));
		if (material->error == 0)
			material->error = status;
	}
	return buf_span(pem);
}

static bool is_set(const char *path)
{
	return path != NULL && path[0] != '\0' && strcmp(path, "none") != 0;
}

static void add_pair(struct material *material, const char *cert_file, const char *key_file)
{
	if (!is_set(cert_file))
		return;
	size_t at = material->settings.pair_count;
	if (at == PAIRS_MAX)
		return;
	material->settings.pairs[at].chain_pem = read_pem(material, cert_file);
	material->settings.pairs[at].key_pem = !is_set(key_file) || strcmp(cert_file, key_file) == 0
		? material->settings.pairs[at].chain_pem
		: read_pem(material, key_file);
	material->settings.pair_count++;
}

/* Each file holds a key and its chain; a file with a key alone goes with the next one. */
static void add_chain_files(struct material *material, const char *files)
{
	struct span rest = span_from_cstr(files), word;
	struct span key = SPAN_EMPTY;
	while (span_token(&rest, " \t,", &word) && material->settings.pair_count < PAIRS_MAX) {
		char *path = span_dup_cstr(word);
		struct span pem = read_pem(material, path);
		free(path);
		if (span_find(pem, SPAN("BEGIN CERTIFICATE")) == SIZE_MAX) {
			key = pem;
			continue;
		}
		size_t at = material->settings.pair_count++;
		material->settings.pairs[at].chain_pem = pem;
		material->settings.pairs[at].key_pem = span_is_empty(key) ? pem : key;
		key = SPAN_EMPTY;
	}
}

static void read_material(struct conf *conf, const char *prefix, const struct names *names,
	struct material *material)
{
	if (is_set(names->chain_files)) {
		add_chain_files(material, names->chain_files);
		return;
	}
	add_pair(material, names->cert_file, names->key_file);
	if (strcmp(prefix, "smtpd") == 0)
		add_pair(material, conf_get(conf, "smtpd_tls_eccert_file"),
			conf_get(conf, "smtpd_tls_eckey_file"));
}

static void choose_level(struct conf *conf, const char *prefix, const struct names *names,
	struct server_tls *tls)
{
	tls->security_level = names->security_level;
	/* The obsolete pair of switches still counts where the level is not set. */
	if (names->security_level[0] == '\0') {
		bool smtpd = strcmp(prefix, "smtpd") == 0;
		bool enforce = smtpd && conf_get_bool(conf, "smtpd_enforce_tls");
		bool use = smtpd && conf_get_bool(conf, "smtpd_use_tls");
		tls->security_level = enforce ? "encrypt" : use ? "may" : "none";
	}
	tls->wrapper = names->wrapper;
	tls->auth_only = names->auth_only;
	tls->required = names->wrapper || strcmp(tls->security_level, "encrypt") == 0;
}

static int make_context(struct conf *conf, const char *prefix, const char *alpn,
	const struct names *names, struct server_tls *tls)
{
	struct material material = {.settings = {
		.alpn = alpn,
		.protocols = tls->required ? names->mandatory_protocols : names->protocols,
		.ciphers = tls->required ? names->mandatory_ciphers : names->ciphers,
		.exclude_ciphers = names->exclude_ciphers,
		.prefer_server_ciphers = names->server_order,
	}};
	char *error = NULL;
	struct buf name = BUF_INIT(4096);
	/* Port 25 and submission have the same parameters: each master.cf line is a service of its
	 * own. */
	buf_append_format(&name, "%s/%s", prefix, daemon_service());
	material.settings.name = buf_cstr(&name);
	read_material(conf, prefix, names, &material);
	/* The key itself is the secret that all processes of a service share: tickets resume across
	 * them, and end with the key. */
	if (material.settings.pair_count > 0)
		material.settings.ticket_secret = material.settings.pairs[0].key_pem;
	if (material.error == 0)
		tls->context = tls_server_context(&material.settings, &error);
	if (material.error == 0 && tls->context == NULL)
		material.error = -EINVAL;
	if (tls->context == NULL && error != NULL)
		log_error(NULL, "%s: TLS cannot be offered: %s", prefix, error);
	free(error);
	for (size_t i = 0; i < material.pem_count; i++)
		buf_wipe(&material.pem[i]);
	buf_done(&name);
	tls->available = tls->context != NULL;
	return material.error;
}

int server_tls_open(struct conf *conf, const char *prefix, const char *alpn,
	struct server_tls *ret_tls)
{
	struct names names = {0};
	struct server_tls tls = {0};
	int status = settings_read(conf, table, ARRAY_LEN(table), prefix, &names);
	if (status != 0)
		return status;
	choose_level(conf, prefix, &names, &tls);
	bool wanted = tls.required || strcmp(tls.security_level, "none") != 0;
	if (wanted)
		status = make_context(conf, prefix, alpn, &names, &tls);
	/* After a shortage the next process may have it; this one would do without for life. */
	if (status != 0 && (tls.required || fd_is_shortage(status)))
		return status;
	*ret_tls = tls;
	return 0;
}

void server_tls_describe(const struct tls_info *info, struct buf *out)
{
	buf_append_format(out, "%s with cipher %s (%d/%d bits)", info->protocol, info->cipher,
		info->bits_used, info->bits_possible);
}
