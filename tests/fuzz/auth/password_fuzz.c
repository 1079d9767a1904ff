/* Stored passwords: the first line is the stored form, the rest the password. Broken forms are told
 * as such. crypt(3) and Argon2 are libraries' own, and slow by design: not tried.
 * SPDX-License-Identifier: ISC */
#include "auth/password.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_slow(struct span stored)
{
	static const char *const quick[] = {"{SHA", "{SSHA", "{SMD5", "{PLAIN", "{LDAP-MD5", "{CLEAR"};
	for (size_t i = 0; i < ARRAY_LEN(quick); i++)
		if (span_starts_with_nocase(stored, span_from_cstr(quick[i])))
			return false;
	/* Four digits of iterations at most. */
	if (!span_starts_with_nocase(stored, SPAN("{SCRAM-")))
		return true;
	struct span rest = stored;
	(void)span_split(&rest, '}');
	return rest.ptr == NULL || span_split(&rest, ',').len > 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span password = span_new(data, size), secret;
	struct span stored = span_split(&password, '\n');
	struct buf out = BUF_INIT(1UL << 16);
	if (password.ptr == NULL)
		return 0;
	if (password_plain(stored, &secret))
		CHECK(secret.len <= stored.len);
	if (password_scram(stored, SPAN("SCRAM-SHA-256"), &out))
		CHECK(span_starts_with(buf_span(&out), SPAN("SCRAM-SHA-256$")));
	buf_reset(&out);
	(void)password_scram(stored, SPAN("SCRAM-SHA-1"), &out);
	if (!is_slow(stored))
		(void)password_verify(stored, password);
	buf_done(&out);
	return 0;
}
