/* TLS contexts: certificates, protocol and cipher settings in Postfix's syntax, ticket keys derived
 * from one secret by time (RFC 5077), bound to the service's name.
 * SPDX-License-Identifier: ISC */
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "tls/tls_private.h"

#define TICKET_PERIOD (12 * 3600)
#define TICKET_NAME_SIZE 16
#define CIPHERS_HIGH "HIGH:!aNULL:!eNULL:!MD5:!RC4:!3DES:!PSK:!SRP"
#define CIPHERS_MEDIUM "HIGH:MEDIUM:!aNULL:!eNULL:!MD5:!RC4:!3DES:!PSK:!SRP:!SEED:!IDEA"

char *tls_error_text(const char *what)
{
	char detail[200];
	struct buf text = BUF_INIT(1000);
	unsigned long code = ERR_get_error();
	ERR_error_string_n(code, detail, sizeof detail);
	buf_append_cstr(&text, what);
	if (code != 0)
		buf_append_format(&text, ": %s", detail);
	ERR_clear_error();
	return buf_steal(&text);
}

/* --- certificates --- */

static bool load_chain(SSL_CTX *ssl, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, pem.len > INT_MAX ? INT_MAX : (int)pem.len);
	X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	bool ok = leaf != NULL && SSL_CTX_use_certificate(ssl, leaf) == 1;
	X509_free(leaf);
	if (ok)
		SSL_CTX_clear_chain_certs(ssl);
	for (X509 *next; ok && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;)
		if (SSL_CTX_add0_chain_cert(ssl, next) != 1) {
			X509_free(next);
			ok = false;
		}
	BIO_free(bio);
	if (ok)
		ERR_clear_error();
	return ok;
}

static bool load_key(SSL_CTX *ssl, struct span pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, pem.len > INT_MAX ? INT_MAX : (int)pem.len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	bool ok = key != NULL && SSL_CTX_use_PrivateKey(ssl, key) == 1 &&
		SSL_CTX_check_private_key(ssl) == 1;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok;
}

static char *load_pairs(SSL_CTX *ssl, const struct tls_settings *settings)
{
	for (size_t i = 0; i < settings->pair_count; i++) {
		if (!load_chain(ssl, settings->pairs[i].chain_pem))
			return tls_error_text("cannot use the certificate chain");
		if (!load_key(ssl, settings->pairs[i].key_pem))
			return tls_error_text("cannot use the private key");
	}
	return NULL;
}

/* --- protocols and ciphers --- */

static int version_number(struct span name)
{
	static const struct {
		struct span name;
		int number;
	} versions[] = {{SPAN("SSLv2"), 1}, {SPAN("SSLv3"), SSL3_VERSION},
		{SPAN("TLSv1"), TLS1_VERSION}, {SPAN("TLSv1.0"), TLS1_VERSION},
		{SPAN("TLSv1.1"), TLS1_1_VERSION}, {SPAN("TLSv1.2"), TLS1_2_VERSION},
		{SPAN("TLSv1.3"), TLS1_3_VERSION}};
	for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
		if (span_equal_nocase(name, versions[i].name))
			return versions[i].number;
	return 0;
}

struct version_range {
	int low, high;
	unsigned excluded, included; /* bit: version - SSL3_VERSION */
};

static bool parse_protocol(struct span word, struct version_range *range)
{
	bool not = span_starts_with(word, SPAN("!"));
	bool least = span_starts_with(word, SPAN(">="));
	bool most = span_starts_with(word, SPAN("<="));
	int version = version_number(span_skip(word, not ? 1 : least || most ? 2 : 0));
	if (version == 0)
		return false;
	if (version == 1)
		return not;
	unsigned bit = 1u << (version - SSL3_VERSION);
	if (not)
		range->excluded |= bit;
	else if (least)
		range->low = version;
	else if (most)
		range->high = version;
	else
		range->included |= bit;
	return true;
}

/* Postfix: protocols by exclusion ("!TLSv1"), by inclusion ("TLSv1.2, TLSv1.3") or by range.
 * OpenSSL 3 refuses versions below 1.2 at its default security level anyway. */
static char *set_protocols(SSL_CTX *ssl, const char *setting)
{
	struct version_range range = {.low = TLS1_2_VERSION, .high = TLS1_3_VERSION};
	struct span rest = span_from_cstr(setting), word;
	while (span_token(&rest, " \t,:", &word))
		if (!parse_protocol(word, &range)) {
			struct buf text = BUF_INIT(200);
			buf_append_cstr(&text, "unknown TLS protocol ");
			buf_append(&text, span_head(word, 50));
			return buf_steal(&text);
		}
	unsigned allowed = 0;
	for (int version = SSL3_VERSION; version <= TLS1_3_VERSION; version++) {
		unsigned bit = 1u << (version - SSL3_VERSION);
		bool named = range.included == 0 || (range.included & bit);
		if (version >= range.low && version <= range.high && named && !(range.excluded & bit))
			allowed |= bit;
	}
	if (allowed == 0)
		return memory_dup_cstr("no TLS protocol version is left");
	int low = SSL3_VERSION + __builtin_ctz(allowed);
	int high = SSL3_VERSION + 31 - __builtin_clz(allowed);
	SSL_CTX_set_min_proto_version(ssl, low);
	SSL_CTX_set_max_proto_version(ssl, high);
	return NULL;
}

static char *set_ciphers(SSL_CTX *ssl, const struct tls_settings *settings)
{
	struct buf list = BUF_INIT(8000);
	struct span grade = span_from_cstr(settings->ciphers);
	if (span_is_empty(grade) || span_equal_nocase(grade, SPAN("medium")) ||
		span_equal_nocase(grade, SPAN("low")) || span_equal_nocase(grade, SPAN("export")))
		buf_append_cstr(&list, CIPHERS_MEDIUM);
	else if (span_equal_nocase(grade, SPAN("high")))
		buf_append_cstr(&list, CIPHERS_HIGH);
	else
		buf_append(&list, grade);
	struct span rest = span_from_cstr(settings->exclude_ciphers), word;
	while (span_token(&rest, " \t,:", &word)) {
		buf_append_cstr(&list, ":!");
		buf_append(&list, word);
	}
	bool ok = !list.overflow && SSL_CTX_set_cipher_list(ssl, buf_cstr(&list)) == 1;
	buf_done(&list);
	return ok ? NULL : tls_error_text("no cipher is left");
}

/* --- tickets --- */

/* 16 bytes of name, 32 of AES key, 32 of HMAC key for a period of the clock. */
static bool derive_ticket_keys(const struct tls_context *context, int64_t period,
	unsigned char ret_keys[80])
{
	unsigned char info[sizeof period + sizeof context->id];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *hkdf = EVP_KDF_CTX_new(kdf);
	EVP_KDF_free(kdf);
	memcpy(info, &period, sizeof period);
	memcpy(info + sizeof period, context->id, sizeof context->id);
	char digest[] = "SHA256";
	unsigned char secret[TICKET_SECRET_SIZE];
	memcpy(secret, context->ticket_secret, sizeof secret);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof secret),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info),
		OSSL_PARAM_construct_end()};
	bool ok = hkdf != NULL && EVP_KDF_derive(hkdf, ret_keys, 80, params) == 1;
	EVP_KDF_CTX_free(hkdf);
	memory_wipe(secret, sizeof secret);
	return ok;
}

static const struct tls_context *context_of(SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static bool apply_ticket_keys(const unsigned char keys[80], unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	char digest[] = "SHA256";
	unsigned char mac_key[32];
	memcpy(mac_key, keys + 48, sizeof mac_key);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, sizeof mac_key),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()};
	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, keys + 16, iv, encrypt) == 1 &&
		EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int ticket_callback(SSL *ssl, unsigned char name[TICKET_NAME_SIZE],
	unsigned char iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	const struct tls_context *context = context_of(ssl);
	int64_t period = (int64_t)time(NULL) / TICKET_PERIOD;
	unsigned char keys[80];
	int result = 0;
	if (encrypt) {
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 && derive_ticket_keys(context, period, keys) &&
			apply_ticket_keys(keys, iv, cipher, mac, 1)) {
			memcpy(name, keys, TICKET_NAME_SIZE);
			result = 1;
		}
	} else {
		for (int age = 0; age < 2 && result == 0; age++)
			if (derive_ticket_keys(context, period - age, keys) &&
				memcmp(name, keys, TICKET_NAME_SIZE) == 0 &&
				apply_ticket_keys(keys, iv, cipher, mac, 0))
				result = age == 0 ? 1 : 2;
	}
	memory_wipe(keys, sizeof keys);
	return result;
}

/* --- ALPN, SNI --- */

/* ALPACA: a client that asks for another protocol is refused; one that asks for none is welcome. */
static int alpn_callback(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	(void)ssl;
	const struct tls_context *context = arg;
	size_t want = strlen(context->alpn);
	for (unsigned at = 0; at < in_len && in[at] < in_len - at; at += in[at] + 1u)
		if (in[at] == want && memcmp(in + at + 1, context->alpn, want) == 0) {
			*out = in + at + 1;
			*out_len = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- contexts --- */

static char *load_trust(SSL_CTX *ssl, const struct tls_settings *settings)
{
	if (settings->ca_file != NULL && strcmp(settings->ca_file, "system") == 0) {
		if (SSL_CTX_set_default_verify_paths(ssl) != 1)
			return tls_error_text("cannot load the system's trust anchors");
		return NULL;
	}
	const char *file = settings->ca_file != NULL && settings->ca_file[0] != '\0' ? settings->ca_file
										     : NULL;
	const char *path = settings->ca_path != NULL && settings->ca_path[0] != '\0' ? settings->ca_path
										     : NULL;
	if ((file != NULL || path != NULL) && SSL_CTX_load_verify_locations(ssl, file, path) != 1)
		return tls_error_text("cannot load the trust anchors");
	return NULL;
}

static char *configure(struct tls_context *context, const struct tls_settings *settings)
{
	SSL_CTX *ssl = context->ssl;
	SSL_CTX_set_app_data(ssl, context);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (settings->prefer_server_ciphers)
		SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	char *error = set_protocols(ssl, settings->protocols);
	if (error == NULL)
		error = set_ciphers(ssl, settings);
	if (error == NULL)
		error = load_pairs(ssl, settings);
	if (error == NULL)
		error = load_trust(ssl, settings);
	return error;
}

static struct tls_context *context_new(
	const SSL_METHOD *method, const struct tls_settings *settings, char **ret_error)
{
	tls_memory_set_up();
	struct tls_context *context = NEW(struct tls_context);
	context->alpn = settings->alpn == NULL ? NULL : memory_dup_cstr(settings->alpn);
	context->ssl = SSL_CTX_new(method);
	char *error = context->ssl == NULL ? tls_error_text("cannot start TLS")
					   : configure(context, settings);
	if (error != NULL) {
		tls_context_free(context);
		*ret_error = error;
		return NULL;
	}
	return context;
}

static bool hash_secret(struct span secret, unsigned char out[TICKET_SECRET_SIZE])
{
	if (span_is_empty(secret))
		return RAND_bytes(out, TICKET_SECRET_SIZE) == 1;
	return EVP_Digest(secret.ptr, secret.len, out, NULL, EVP_sha256(), NULL) == 1;
}

static int accept_any_certificate(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

struct tls_context *tls_server_context(const struct tls_settings *settings, char **ret_error)
{
	if (settings->pair_count == 0) {
		*ret_error = memory_dup_cstr("no certificate is configured");
		return NULL;
	}
	struct tls_context *context = context_new(TLS_server_method(), settings, ret_error);
	if (context == NULL)
		return NULL;
	const char *name = settings->name == NULL ? "" : settings->name;
	if (!hash_secret(settings->ticket_secret, context->ticket_secret) ||
		EVP_Digest(name, strlen(name), context->id, NULL, EVP_sha256(), NULL) != 1) {
		*ret_error = tls_error_text("cannot make ticket keys");
		tls_context_free(context);
		return NULL;
	}
	SSL_CTX_set_session_id_context(context->ssl, context->id, sizeof context->id);
	SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context->ssl, 1);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl, ticket_callback);
	if (context->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(context->ssl, alpn_callback, context);
	if (settings->ask_client_certificate)
		SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, accept_any_certificate);
	return context;
}

struct tls_context *tls_client_context(const struct tls_settings *settings, char **ret_error)
{
	return context_new(TLS_client_method(), settings, ret_error);
}

void tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->ssl);
	memory_wipe(context->ticket_secret, sizeof context->ticket_secret);
	free(context->alpn);
	free(context);
}
