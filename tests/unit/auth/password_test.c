/* Password schemes and the brake on guessing.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "auth/password.h"
#include "auth/throttle.h"
#include "base/check.h"

static const struct {
	const char *name, *stored, *password;
	enum password_result result;
} rows[] = {
	{"plain", "{PLAIN}secret", "secret", PASSWORD_MATCHES},
	{"plain wrong", "{PLAIN}secret", "secreT", PASSWORD_WRONG},
	{"plain longer", "{PLAIN}secret", "secret1", PASSWORD_WRONG},
	{"empty stored", "{PLAIN}", "", PASSWORD_WRONG},
	{"empty password", "{PLAIN}x", "", PASSWORD_WRONG},
	{"sha512-crypt",
		"{SHA512-CRYPT}$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
		"password", PASSWORD_MATCHES},
	{"no scheme is crypt",
		"$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
		"password", PASSWORD_MATCHES},
	{"crypt wrong",
		"$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/",
		"passwore", PASSWORD_WRONG},
	{"sha1 base64", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password", PASSWORD_MATCHES},
	{"sha1 hex", "{SHA}5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8", "password", PASSWORD_MATCHES},
	{"sha256 hex suffix",
		"{SHA256.HEX}5e884898da28047151d0e56f8dc6292773603d0d6aabbd62a11ef721d1542d8",
		"password", PASSWORD_UNKNOWN_SCHEME},
	{"sha256 hex",
		"{SHA256.hex}5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
		"password", PASSWORD_MATCHES},
	{"ssha without salt", "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "password",
		PASSWORD_UNKNOWN_SCHEME},
	{"ssha256 salted", "{SSHA256}XohImNooBHFR0OVvjcYpJ3NgPQ1qq73WKhHvch0VQtg=", "password",
		PASSWORD_UNKNOWN_SCHEME},
	{"plain-md5", "{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99", "password", PASSWORD_MATCHES},
	{"unknown scheme", "{ROT13}frperg", "secret", PASSWORD_UNKNOWN_SCHEME},
	{"unclosed scheme", "{SHA", "secret", PASSWORD_UNKNOWN_SCHEME},
	{"argon2 that wants a terabyte",
		"{ARGON2ID}$argon2id$v=19$m=1073741824,t=3,p=1$c2FsdHNhbHQ$AAAA", "x",
		PASSWORD_UNKNOWN_SCHEME},
	/* RFC 5802 section 5 and RFC 7677 section 3: user "user", password "pencil" */
	{"scram-sha-1",
		"{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
		"pencil", PASSWORD_MATCHES},
	{"scram-sha-256",
		"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"pencil", PASSWORD_MATCHES},
	{"scram wrong",
		"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"penciL", PASSWORD_WRONG},
	{"scram with 2^31 iterations",
		"{SCRAM-SHA-256}2147483648,W22ZaJ0SNY7soEsUEjb6gQ==,AA==,AA==", "x",
		PASSWORD_UNKNOWN_SCHEME},
};

static void test_schemes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum password_result result = password_verify(span_from_cstr(rows[i].stored),
			span_from_cstr(rows[i].password));
		if (result != rows[i].result)
			fail_msg("%s: %d, not %d", rows[i].name, (int)result, (int)rows[i].result);
	}
}

static void test_argon2id(void **state)
{
	(void)state;
	static const char stored[] =
		"{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$Hvw9rvVdPQO32nJzROeU6A";
	enum password_result result = password_verify(span_from_cstr(stored), SPAN("password"));
	/* A well-formed hash of small cost gives a verdict, not "unknown". */
	assert_true(result == PASSWORD_MATCHES || result == PASSWORD_WRONG);
}

static void test_scram_secret(void **state)
{
	(void)state;
	struct buf out = BUF_INIT(1000);
	assert_true(password_scram(
		SPAN("{SCRAM-SHA-256}4096,c2E=,c3Q=,c2U="), SPAN("SCRAM-SHA-256"), &out));
	assert_string_equal(buf_cstr(&out), "SCRAM-SHA-256$4096:c2E=$c3Q=:c2U=");
	assert_false(password_scram(
		SPAN("{SCRAM-SHA-256}4096,c2E=,c3Q=,c2U="), SPAN("SCRAM-SHA-1"), &out));
	assert_false(password_scram(SPAN("{PLAIN}x"), SPAN("SCRAM-SHA-256"), &out));
	assert_true(password_is_quick(SPAN("{PLAIN}x")) && password_is_quick(SPAN("{SSHA512}x")));
	assert_false(password_is_quick(SPAN("{SHA512-CRYPT}$6$a$b")));
	assert_false(password_is_quick(SPAN("{ARGON2ID}x")) || password_is_quick(SPAN("$6$a$b")));
	buf_done(&out);
}

static void test_guessing_is_slowed(void **state)
{
	(void)state;
	struct span me = SPAN("192.0.2.1"), other = SPAN("192.0.2.2"), user = SPAN("alice");
	throttle_reset();
	/* The same wrong password again and again is one failure. */
	for (int i = 0; i < 10; i++)
		throttle_failure(me, user, SPAN("old"), 1000);
	assert_true(throttle_delay(me, user, 1000) == 0);
	char guess[] = "guess0";
	for (int i = 0; i < 9; i++) {
		guess[5] = (char)('0' + i);
		throttle_failure(me, user, span_from_cstr(guess), 1000);
	}
	assert_true(throttle_delay(me, user, 1000) == 15000);
	/* From elsewhere the account is only a little slower; other accounts are not. */
	assert_true(throttle_delay(other, user, 1000) == 4000);
	assert_true(throttle_delay(other, SPAN("bob"), 1000) == 0);
	/* It wears off, and a success ends it. */
	assert_true(throttle_delay(me, user, 1000 + 30 * 60 * 1000) == 0);
	throttle_failure(me, user, SPAN("x"), 1000 + 30 * 60 * 1000);
	throttle_success(me, user, 1000 + 30 * 60 * 1000);
	assert_true(throttle_delay(me, user, 1000 + 30 * 60 * 1000) == 0);
	/* IPv6 clients count by /64. */
	for (int i = 0; i < 5; i++) {
		guess[5] = (char)('0' + i);
		throttle_failure(SPAN("2001:db8:1:2::3"), SPAN("carol"), span_from_cstr(guess), 0);
	}
	assert_true(throttle_delay(SPAN("2001:db8:1:2:ffff::1"), SPAN("x"), 0) > 0);
	assert_true(throttle_delay(SPAN("2001:db8:1:3::1"), SPAN("x"), 0) == 0);
	throttle_reset();
}

static void guess(struct span user, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++) {
		char password[32];
		snprintf(password, sizeof password, "guess %u", i);
		throttle_failure(SPAN("192.0.2.7"), user, span_from_cstr(password), 1000);
	}
}

/* One who logs in with an account of his own between two guesses of another's password. */
static void test_own_logins_do_not_end_the_brake(void **state)
{
	(void)state;
	const struct span me = SPAN("192.0.2.7"), own = SPAN("mallory"), other = SPAN("alice");
	throttle_reset();
	for (unsigned i = 0; i < 20; i++) {
		guess(other, i, 1);
		throttle_success(me, own, 1000);
	}
	assert_true(throttle_delay(me, SPAN("bob"), 1000) == 15000);
	/* Somebody else of that network proves that it is not only him. */
	throttle_success(me, SPAN("carol"), 1000);
	assert_true(throttle_delay(me, SPAN("bob"), 1000) == 0);
	guess(other, 100, 1);
	guess(SPAN("carol"), 200, 8);
	assert_true(throttle_delay(me, SPAN("bob"), 1000) > 0);
	throttle_success(me, SPAN("carol"), 1000);
	assert_true(throttle_delay(me, SPAN("bob"), 1000) == 0);
	throttle_reset();
}

/* CRAM-MD5 and SCRAM show no password: each failure counts. */
static void test_unseen_passwords_count(void **state)
{
	(void)state;
	throttle_reset();
	for (unsigned i = 0; i < 10; i++)
		throttle_failure(SPAN("192.0.2.7"), SPAN("alice"), SPAN_EMPTY, 1000);
	assert_true(throttle_delay(SPAN("192.0.2.7"), SPAN("alice"), 1000) == 15000);
	for (unsigned i = 0; i < 10; i++)
		throttle_failure(SPAN("192.0.2.7"), SPAN("alice"), SPAN_EMPTY, 1000);
	throttle_configure(0, 15000); /* switched off */
	assert_true(throttle_delay(SPAN("192.0.2.7"), SPAN("alice"), 1000) == 0);
	throttle_configure(1000, 15000);
	throttle_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_argon2id),
		cmocka_unit_test(test_scram_secret),
		cmocka_unit_test(test_guessing_is_slowed),
		cmocka_unit_test(test_own_logins_do_not_end_the_brake),
		cmocka_unit_test(test_unseen_passwords_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
