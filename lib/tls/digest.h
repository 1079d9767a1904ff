/* Hashes, HMAC, PBKDF2 and random bytes from OpenSSL, for password schemes and SCRAM.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TLS_DIGEST_H
#define TAMBO_TLS_DIGEST_H

#include "base/span.h"

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA512 };

#define DIGEST_SIZE_MAX 64

/* Bytes of the digest: 16, 20, 32 or 64. */
size_t digest_size(enum digest_kind kind);
/* Of two spans one after the other (the second may be empty). False only when OpenSSL fails. */
bool digest_compute(
	enum digest_kind kind, struct span first, struct span second, uint8_t *ret_digest);
bool digest_hmac(enum digest_kind kind, struct span key, struct span text, uint8_t *ret_digest);
/* RFC 8018; size bytes of key into ret_key. iterations: 1 to 10,000,000. */
bool digest_pbkdf2(enum digest_kind kind, struct span password, struct span salt,
	uint32_t iterations, uint8_t *ret_key);
/* Compares without telling by its time where they differ. */
bool digest_equal(struct span a, struct span b);

#endif
