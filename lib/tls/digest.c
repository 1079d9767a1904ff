/* See digest.h.
 * SPDX-License-Identifier: ISC */
#include "tls/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "tls/tls_private.h"

#define ITERATIONS_MAX 10000000u

static const EVP_MD *method(enum digest_kind kind)
{
	tls_memory_set_up();
	switch (kind) {
	case DIGEST_MD5:
		return EVP_md5();
	case DIGEST_SHA1:
		return EVP_sha1();
	case DIGEST_SHA256:
		return EVP_sha256();
	case DIGEST_SHA512:
		return EVP_sha512();
	}
	return NULL;
}

size_t digest_size(enum digest_kind kind)
{
	return (size_t)EVP_MD_get_size(method(kind));
}

bool digest_compute(
	enum digest_kind kind, struct span first, struct span second, uint8_t *ret_digest)
{
	const EVP_MD *digest = method(kind);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool ok = context != NULL && EVP_DigestInit_ex(context, digest, NULL) == 1 &&
		EVP_DigestUpdate(context, first.ptr, first.len) == 1 &&
		EVP_DigestUpdate(context, second.ptr, second.len) == 1 &&
		EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
	EVP_MD_CTX_free(context);
	return ok;
}

bool digest_hmac(enum digest_kind kind, struct span key, struct span text, uint8_t *ret_digest)
{
	unsigned len = 0;
	return key.len <= INT_MAX && HMAC(method(kind), key.ptr, (int)key.len,
		(const unsigned char *)text.ptr, text.len, ret_digest, &len) != NULL;
}

bool digest_pbkdf2(enum digest_kind kind, struct span password, struct span salt,
	uint32_t iterations, uint8_t *ret_key)
{
	if (iterations == 0 || iterations > ITERATIONS_MAX || password.len > INT_MAX ||
		salt.len > INT_MAX)
		return false;
	return PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, (const unsigned char *)salt.ptr,
		(int)salt.len, (int)iterations, method(kind), (int)digest_size(kind), ret_key) == 1;
}

bool digest_equal(struct span a, struct span b)
{
	return a.len == b.len && CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0;
}
