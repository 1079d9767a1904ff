/* See client_tls.h.
 * SPDX-License-Identifier: ISC */
#include "smtp/client_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/daemon.h"
#include "smtp/settings.h"
#include "tls/tls.h"

#define PEM_MAX (256 * 1024)

static struct tls_context *opportunistic, *mandatory;

static int read_pem(const char *path, struct buf *pem)
{
	int error = path[0] == '\0' ? 0 : daemon_read_file(path, PEM_MAX, pem);
	if (error != 0)
		log_error(NULL, "cannot read %s: %s", path, strerror(-error));
	return error;
}

static struct tls_context *make_context(const struct tls_settings *tls)
{
	char *error = NULL;
	struct tls_context *context = tls_client_context(tls, &error);
	if (context == NULL)
		log_error(NULL, "%s client TLS: %s", settings.prefix, error);
	free(error);
	return context;
}

/* The folder of Debian's trust anchors cannot be read from an empty root; its bundle is read now.
 * */
static const char *ca_file(void)
{
	if (settings.tls_ca_file[0] != '\0' || strcmp(settings.tls_ca_path, "/etc/ssl/certs") != 0)
		return settings.tls_ca_file;
	return "system";
}

static bool client_tls_is_ready(void)
{
	return opportunistic != NULL && mandatory != NULL;
}

int client_tls_load(void)
{
	struct buf chain = BUF_INIT(PEM_MAX), key = BUF_INIT(PEM_MAX), exclude = BUF_INIT(4096);
	int error = read_pem(settings.tls_cert_file, &chain);
	if (error == 0)
		error = read_pem(settings.tls_key_file, &key);
	struct tls_settings tls = {.name = settings.prefix, .protocols = settings.tls_protocols,
		.ciphers = settings.tls_ciphers, .exclude_ciphers = settings.tls_exclude_ciphers,
		.ca_file = ca_file(), .ca_path = settings.tls_ca_path};
	if (error == 0 && chain.len > 0) {
		tls.pairs[0].chain_pem = buf_span(&chain);
		tls.pairs[0].key_pem = buf_span(&key);
		tls.pair_count = 1;
	}
	if (error == 0)
		opportunistic = make_context(&tls);
	buf_append_format(&exclude, "%s %s", settings.tls_exclude_ciphers,
		settings.tls_mandatory_exclude_ciphers);
	tls.protocols = settings.tls_mandatory_protocols;
	tls.ciphers = settings.tls_mandatory_ciphers;
	tls.exclude_ciphers = buf_cstr(&exclude);
	if (error == 0)
		mandatory = make_context(&tls);
	buf_done(&chain);
	buf_wipe(&key);
	buf_done(&exclude);
	return client_tls_is_ready() ? 0 : -EINVAL;
}

void client_tls_done(void)
{
	tls_context_free(opportunistic);
	tls_context_free(mandatory);
	opportunistic = mandatory = NULL;
}

/* One pattern of a match list: "hostname", "nexthop", "dot-nexthop" or a name. */
static bool name_matches(struct connection *connection, struct span pattern,
	const struct next_hop *hop)
{
	struct buf name = BUF_INIT(512);
	if (span_equal_nocase(pattern, SPAN("hostname"))) {
		buf_append_cstr(&name, connection->host);
	} else if (span_equal_nocase(pattern, SPAN("nexthop"))) {
		buf_append(&name, hop->host);
	} else if (span_equal_nocase(pattern, SPAN("dot-nexthop"))) {
		buf_append_char(&name, '.');
		buf_append(&name, hop->host);
	} else {
		buf_append(&name, pattern);
	}
	bool match = !name.overflow && tls_peer_name_is(connection->stream, buf_cstr(&name));
	buf_done(&name);
	return match;
}

/* Fingerprints are written with colons, so only white space, commas and '|' separate them. */
static bool fingerprint_matches(const struct tls_info *info, const char *list)
{
	struct span rest = span_from_cstr(list), word;
	while (span_token(&rest, ", \t|", &word))
		if (span_equal_nocase(word, span_from_cstr(info->peer_fingerprint)))
			return true;
	return false;
}

static bool any_name_matches(struct connection *connection, const struct tls_policy *policy,
	const struct next_hop *hop)
{
	struct span rest = span_from_cstr(policy->match), word;
	while (span_token(&rest, ", :\t", &word))
		if (name_matches(connection, word, hop))
			return true;
	return false;
}

static const char *trust_word(const struct tls_info *info, bool matched)
{
	if (!info->peer_certificate)
		return "Anonymous";
	return matched ? "Verified" : info->verified ? "Trusted" : "Untrusted";
}

static enum client_tls_result check_certificate(struct connection *connection,
	const struct tls_policy *policy, const struct next_hop *hop, struct problem *problem)
{
	struct tls_info info;
	bool matched = false;
	tls_stream_info(connection->stream, &info);
	if (policy->level == TLS_LEVEL_FINGERPRINT)
		matched = fingerprint_matches(&info, policy->match);
	else if (policy->level >= TLS_LEVEL_VERIFY)
		matched = info.verified && any_name_matches(connection, policy, hop);
	if (settings.tls_loglevel > 0)
		log_info(NULL, "%s TLS connection %s to %s: %s with cipher %s (%d/%d bits)",
			trust_word(&info, matched), info.reused ? "reused" : "established",
			connection->label_port, info.protocol, info.cipher, info.bits_used,
			info.bits_possible);
	connection->verified = matched;
	if (policy->level < TLS_LEVEL_FINGERPRINT || matched)
		return CLIENT_TLS_OK;
	bool trusted = policy->level == TLS_LEVEL_FINGERPRINT || info.verified;
	if (!trusted)
		log_info(NULL, "certificate verification failed for %s: %s", connection->label_port,
			info.verify_error);
	problem_set(
		problem, "4.7.5", "Server certificate not %s", trusted ? "verified" : "trusted");
	return CLIENT_TLS_REFUSED;
}

static const char *server_name(struct connection *connection, const struct tls_policy *policy,
	const struct next_hop *hop, struct buf *storage)
{
	if (strcmp(policy->servername, "hostname") == 0)
		return connection->host;
	if (strcmp(policy->servername, "nexthop") == 0)
		buf_append(storage, hop->host);
	else
		buf_append_cstr(storage, policy->servername);
	return buf_cstr(storage);
}

enum client_tls_result client_tls_start(struct connection *connection,
	const struct tls_policy *policy, const struct next_hop *hop, struct problem *problem)
{
	bool strict = policy->level >= TLS_LEVEL_ENCRYPT;
	struct buf storage = BUF_INIT(512);
	char *text = NULL;
	int error = tls_connect(connection->stream, strict ? mandatory : opportunistic,
		server_name(connection, policy, hop, &storage), TLS_VERIFY_CHAIN,
		task_deadline(settings.starttls_timeout), &text);
	buf_done(&storage);
	if (error == 0) {
		connection->tls = true;
		free(text);
		return check_certificate(connection, policy, hop, problem);
	}
	log_info(NULL, "SSL_connect error to %s: %s", connection->label_port,
		text != NULL		? text :
		error == -ETIMEDOUT ? "Connection timed out" :
				      "lost connection");
	free(text);
	connection->broken = true;
	problem_set(problem, "4.7.5", "Cannot start TLS: handshake failure");
	return CLIENT_TLS_HANDSHAKE;
}
