/* See password.h. Salted digests carry the salt behind the digest (RFC 2307 practice).
 * SPDX-License-Identifier: ISC */
#include "auth/password.h"

#include <argon2.h>
#include <crypt.h>
#include <stdlib.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/memory.h"
#include "tls/digest.h"

#define STORED_MAX 1024
#define PASSWORD_MAX 1024
#define SCRAM_ITERATIONS_MAX 1000000
#define ARGON2_MEMORY_MAX_KIB (1024 * 1024)

enum encoding { ENCODING_GUESS, ENCODING_BASE64, ENCODING_HEX };

struct stored {
	struct span scheme; /* without suffix */
	struct span value;
	enum encoding encoding;
};

static bool split_stored(struct span stored, struct stored *ret_stored)
{
	struct stored parts = {.scheme = SPAN("CRYPT"), .value = stored};
	if (stored.len > STORED_MAX)
		return false;
	if (span_starts_with(stored, SPAN("{"))) {
		size_t end = span_find_char(stored, '}');
		if (end == SIZE_MAX)
			return false;
		parts.scheme = span_part(stored, 1, end - 1);
		parts.value = span_skip(stored, end + 1);
	}
	if (span_ends_with_nocase(parts.scheme, SPAN(".b64")))
		parts.encoding = ENCODING_BASE64;
	else if (span_ends_with_nocase(parts.scheme, SPAN(".hex")))
		parts.encoding = ENCODING_HEX;
	if (parts.encoding != ENCODING_GUESS)
		parts.scheme.len -= 4;
	*ret_stored = parts;
	return true;
}

static enum password_result verdict(bool equal)
{
	return equal ? PASSWORD_MATCHES : PASSWORD_WRONG;
}

/* --- the kinds of check --- */

static enum password_result check_crypt(const struct stored *stored, struct span password)
{
	if (span_find_char(password, '\0') != SIZE_MAX || stored->value.len < 2)
		return PASSWORD_WRONG;
	struct crypt_data *data = NEW(struct crypt_data);
	char *setting = span_dup_cstr(stored->value);
	char *text = span_dup_cstr(password);
	const char *hash = crypt_r(text, setting, data);
	bool usable = hash != NULL && hash[0] != '*';
	enum password_result result = !usable ? PASSWORD_UNKNOWN_SCHEME
		: verdict(digest_equal(span_from_cstr(hash), stored->value));
	memory_wipe(text, password.len);
	memory_wipe(data, sizeof *data);
	free(text);
	free(setting);
	free(data);
	return result;
}

static bool decode_hex(struct span text, struct buf *out)
{
	if (text.len % 2 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = ascii_hex_value(text.ptr[i]), low = ascii_hex_value(text.ptr[i + 1]);
		if (high < 0 || low < 0)
			return false;
		buf_append_char(out, (char)(high << 4 | low));
	}
	return true;
}

static bool decode_digest(const struct stored *stored, size_t size, struct buf *out)
{
	bool hex = stored->encoding == ENCODING_HEX ||
		(stored->encoding == ENCODING_GUESS && stored->value.len == size * 2);
	return hex ? decode_hex(stored->value, out) : base64_decode(stored->value, out);
}

static enum password_result check_digest(const struct stored *stored, struct span password,
	enum digest_kind kind, bool salted)
{
	uint8_t digest[DIGEST_SIZE_MAX];
	size_t size = digest_size(kind);
	struct buf bytes = BUF_INIT(STORED_MAX);
	enum password_result result = PASSWORD_UNKNOWN_SCHEME;
	if (decode_digest(stored, size, &bytes) && (salted ? bytes.len > size : bytes.len == size) &&
		digest_compute(kind, password, span_skip(buf_span(&bytes), size), digest))
		result = verdict(digest_equal(span_head(buf_span(&bytes), size), span_new(digest, size)));
	memory_wipe(digest, sizeof digest);
	buf_wipe(&bytes);
	return result;
}

/* The memory cost stands in the stored hash: what is beyond the limit is refused, not tried. */
static bool argon2_affordable(struct span value)
{
	uint64_t memory;
	size_t at = span_find(value, SPAN("m="));
	if (at == SIZE_MAX)
		return false;
	struct span number = span_skip(value, at + 2);
	return span_to_u64(span_head(number, span_find_char(number, ',')), ARGON2_MEMORY_MAX_KIB,
		&memory);
}

static enum password_result check_argon2(const struct stored *stored, struct span password)
{
	if (!argon2_affordable(stored->value))
		return PASSWORD_UNKNOWN_SCHEME;
	char *encoded = span_dup_cstr(stored->value);
	bool with_id = span_starts_with(stored->value, SPAN("$argon2id$"));
	int status = with_id ? argon2id_verify(encoded, password.ptr, password.len)
			     : argon2i_verify(encoded, password.ptr, password.len);
	free(encoded);
	if (status == ARGON2_OK)
		return PASSWORD_MATCHES;
	return status == ARGON2_VERIFY_MISMATCH ? PASSWORD_WRONG : PASSWORD_UNKNOWN_SCHEME;
}

struct scram_fields {
	uint64_t iterations;
	struct span salt, stored_key, server_key; /* base64 */
};

static bool split_scram(struct span value, struct scram_fields *ret_fields)
{
	struct span rest = value;
	struct span iterations = span_split(&rest, ',');
	struct scram_fields fields;
	if (rest.ptr == NULL || !span_to_u64(iterations, SCRAM_ITERATIONS_MAX, &fields.iterations))
		return false;
	fields.salt = span_split(&rest, ',');
	if (rest.ptr == NULL)
		return false;
	fields.stored_key = span_split(&rest, ',');
	fields.server_key = rest;
	if (rest.ptr == NULL || fields.iterations == 0)
		return false;
	*ret_fields = fields;
	return true;
}

/* RFC 5802 section 3: StoredKey = H(HMAC(SaltedPassword, "Client Key")). */
static enum password_result check_scram(const struct stored *stored, struct span password,
	enum digest_kind kind)
{
	struct scram_fields fields;
	uint8_t salted[DIGEST_SIZE_MAX], client[DIGEST_SIZE_MAX], key[DIGEST_SIZE_MAX];
	struct buf salt = BUF_INIT(STORED_MAX), want = BUF_INIT(STORED_MAX);
	size_t size = digest_size(kind);
	enum password_result result = PASSWORD_UNKNOWN_SCHEME;
	if (split_scram(stored->value, &fields) && base64_decode(fields.salt, &salt) &&
		base64_decode(fields.stored_key, &want) &&
		digest_pbkdf2(kind, password, buf_span(&salt), (uint32_t)fields.iterations, salted) &&
		digest_hmac(kind, span_new(salted, size), SPAN("Client Key"), client) &&
		digest_compute(kind, span_new(client, size), SPAN_EMPTY, key))
		result = verdict(digest_equal(buf_span(&want), span_new(key, size)));
	memory_wipe(salted, sizeof salted);
	memory_wipe(client, sizeof client);
	buf_wipe(&salt);
	buf_wipe(&want);
	return result;
}

/* --- the table --- */

enum check { CHECK_CRYPT, CHECK_PLAIN, CHECK_DIGEST, CHECK_ARGON2, CHECK_SCRAM };

static const struct scheme {
	struct span name;
	enum check check;
	enum digest_kind digest;
	bool salted;
} schemes[] = {
	{SPAN("CRYPT"), CHECK_CRYPT, 0, false},
	{SPAN("SHA512-CRYPT"), CHECK_CRYPT, 0, false},
	{SPAN("SHA256-CRYPT"), CHECK_CRYPT, 0, false},
	{SPAN("BLF-CRYPT"), CHECK_CRYPT, 0, false},
	{SPAN("YESCRYPT"), CHECK_CRYPT, 0, false},
	{SPAN("MD5-CRYPT"), CHECK_CRYPT, 0, false},
	{SPAN("DES-CRYPT"), CHECK_CRYPT, 0, false},
	{SPAN("PLAIN"), CHECK_PLAIN, 0, false},
	{SPAN("CLEAR"), CHECK_PLAIN, 0, false},
	{SPAN("CLEARTEXT"), CHECK_PLAIN, 0, false},
	{SPAN("SHA"), CHECK_DIGEST, DIGEST_SHA1, false},
	{SPAN("SHA1"), CHECK_DIGEST, DIGEST_SHA1, false},
	{SPAN("SHA256"), CHECK_DIGEST, DIGEST_SHA256, false},
	{SPAN("SHA512"), CHECK_DIGEST, DIGEST_SHA512, false},
	{SPAN("SSHA"), CHECK_DIGEST, DIGEST_SHA1, true},
	{SPAN("SSHA256"), CHECK_DIGEST, DIGEST_SHA256, true},
	{SPAN("SSHA512"), CHECK_DIGEST, DIGEST_SHA512, true},
	{SPAN("SMD5"), CHECK_DIGEST, DIGEST_MD5, true},
	{SPAN("PLAIN-MD5"), CHECK_DIGEST, DIGEST_MD5, false},
	{SPAN("LDAP-MD5"), CHECK_DIGEST, DIGEST_MD5, false},
	{SPAN("ARGON2I"), CHECK_ARGON2, 0, false},
	{SPAN("ARGON2ID"), CHECK_ARGON2, 0, false},
	{SPAN("SCRAM-SHA-1"), CHECK_SCRAM, DIGEST_SHA1, false},
	{SPAN("SCRAM-SHA-256"), CHECK_SCRAM, DIGEST_SHA256, false},
};

static const struct scheme *find_scheme(struct span stored, struct stored *ret_parts)
{
	if (!split_stored(stored, ret_parts))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (span_equal_nocase(schemes[i].name, ret_parts->scheme))
			return &schemes[i];
	return NULL;
}

enum password_result password_verify(struct span stored, struct span password)
{
	struct stored parts;
	const struct scheme *scheme = find_scheme(stored, &parts);
	if (scheme == NULL)
		return PASSWORD_UNKNOWN_SCHEME;
	/* An account without a secret, and an empty password, never match. */
	if (span_is_empty(parts.value) || span_is_empty(password) || password.len > PASSWORD_MAX)
		return PASSWORD_WRONG;
	switch (scheme->check) {
	case CHECK_CRYPT:
		return check_crypt(&parts, password);
	case CHECK_PLAIN:
		return verdict(digest_equal(parts.value, password));
	case CHECK_DIGEST:
		return check_digest(&parts, password, scheme->digest, scheme->salted);
	case CHECK_ARGON2:
		return check_argon2(&parts, password);
	case CHECK_SCRAM:
		return check_scram(&parts, password, scheme->digest);
	}
	return PASSWORD_UNKNOWN_SCHEME;
}

bool password_is_quick(struct span stored)
{
	struct stored parts;
	const struct scheme *scheme = find_scheme(stored, &parts);
	return scheme == NULL || scheme->check == CHECK_PLAIN || scheme->check == CHECK_DIGEST;
}

bool password_plain(struct span stored, struct span *ret_secret)
{
	struct stored parts;
	const struct scheme *scheme = find_scheme(stored, &parts);
	if (scheme == NULL || scheme->check != CHECK_PLAIN || span_is_empty(parts.value))
		return false;
	*ret_secret = parts.value;
	return true;
}

bool password_scram(struct span stored, struct span mechanism, struct buf *out)
{
	struct stored parts;
	struct scram_fields fields;
	const struct scheme *scheme = find_scheme(stored, &parts);
	if (scheme == NULL || scheme->check != CHECK_SCRAM || !span_equal(scheme->name, mechanism) ||
		!split_scram(parts.value, &fields))
		return false;
	buf_append(out, mechanism);
	buf_append_format(out, "$%llu:", (unsigned long long)fields.iterations);
	buf_append(out, fields.salt);
	buf_append_char(out, '$');
	buf_append(out, fields.stored_key);
	buf_append_char(out, ':');
	buf_append(out, fields.server_key);
	return !out->overflow;
}
