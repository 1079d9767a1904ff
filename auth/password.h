/* Password schemes: does this password match what is stored? Blocking (a hash may take a second of
 * CPU), without state: called in the thread pool.
 * Stored forms: "{SCHEME}hash", or without a scheme any form of crypt(3). Schemes: CRYPT and its
 * aliases, PLAIN, CLEAR, CLEARTEXT, SHA, SHA1, SHA256, SHA512, SSHA, SSHA256, SSHA512, SMD5,
 * PLAIN-MD5, LDAP-MD5, ARGON2I, ARGON2ID; SCRAM-SHA-1 and SCRAM-SHA-256 as
 * "iterations,salt,storedkey,serverkey" (RFC 5803 values in base64). A suffix ".b64" or ".hex" (or,
 * for digests, the length) tells the encoding.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_PASSWORD_H
#define TAMBO_AUTH_PASSWORD_H

#include "base/buf.h"

enum password_result {
	PASSWORD_MATCHES,
	PASSWORD_WRONG,
	PASSWORD_UNKNOWN_SCHEME, /* or a stored value that is broken */
};

enum password_result password_verify(struct span stored, struct span password);
/* Does verifying take microseconds, so that it needs no thread? */
bool password_is_quick(struct span stored);
/* The secret itself when it is stored in the clear. */
bool password_plain(struct span stored, struct span *ret_secret);
/* RFC 5803 form that Cyrus SASL wants: "SCRAM-SHA-256$iterations:salt$storedkey:serverkey". False
 * when stored is not of that scheme. mechanism: "SCRAM-SHA-1" or "SCRAM-SHA-256". */
bool password_scram(struct span stored, struct span mechanism, struct buf *out);

#endif
