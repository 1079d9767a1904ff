/* SEARCH: every kind of key, decoded text, answers as numbers and as UIDs.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

static void prepare(const char *name)
{
	(void)name;
	put_simple("", "alpha"); /* 1 */
	put_message("", "cur", ":2,FS",
		SPAN(/* 2 */
			"From: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\n"
			"Subject: =?iso-8859-1?Q?Gr=FC=DFe?= aus K=?utf-8?B?w7Y=?=ln\n"
			"Date: Tue, 1 Mar 2022 00:30:00 +0200\n"
			"X-Spam: no\n"
			"Content-Type: text/plain; charset=iso-8859-1\n"
			"Content-Transfer-Encoding: quoted-printable\n"
			"\n"
			"Sch=F6ne Stra=\n=DFe\n"));
	put_message("", "cur", ":2,S",
		SPAN(/* 3 */
			"From: x@example.org\n"
			"Subject: parts\n"
			"Date: Wed, 2 Mar 2022 10:00:00 +0000\n"
			"Content-Type: multipart/mixed; boundary=b\n"
			"\n"
			"--b\n"
			"Content-Type: text/plain; charset=utf-8\n"
			"Content-Transfer-Encoding: base64\n"
			"\n"
			"aGlkZGVuIHRyZWFzdXJl\n"
			"--b\n"
			"Content-Type: application/octet-stream\n"
			"\n"
			"binarystuff\n"
			"--b--\n"));
}

#define S(key, result) "C: x SEARCH " key "\nS: * SEARCH" result "\nS: x OK *\n"

static const struct case_of CASES[] = {
	{"keys",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n" S("ALL", " 1 2 3") S("1:2", " 1 2") S("*", " 3") S(
			"UID 2:*", " 2 3") S("SEEN", " 2 3") S("UNSEEN", " 1") S("FLAGGED",
			" 2") S("UNFLAGGED SEEN", " 3") S("NOT SEEN", " 1") S("OR FLAGGED UNSEEN",
			" 1 2") S("(FLAGGED SEEN) 2", " 2") S("DELETED", "") S("KEYWORD $Junk",
			"") S("UNKEYWORD $Junk", " 1 2 3") S("SUBJECT alpha",
			" 1") S("SUBJECT ALPHA", " 1") S("FROM ann", " 1") S("TO alice",
			" 1") S("CC nobody", "") S("HEADER X-Spam \"\"", " 2") S("HEADER X-Spam NO",
			" 2") S("HEADER Message-ID alpha@", " 1") S("SENTON 1-Mar-2022",
			" 2") S("SENTBEFORE 1-Mar-2022", " 1") S("SENTSINCE 1-Mar-2022",
			" 2 3") S("ON 13-Sep-2020", " 1 2 3") S("BEFORE 13-Sep-2020",
			"") S("SINCE 13-Sep-2020", " 1 2 3") S("SMALLER 1", "") S("LARGER 1",
			" 1 2 3") S("BODY hello", " 1") S("BODY treasure",
			" 3") S("BODY binarystuff", "") S("BODY octet-stream",
			"") S("TEXT octet-stream", " 3") S("TEXT parts", " 3") S("TEXT example.org",
			" 1 2 3") S("CHARSET UTF-8 SUBJECT {7+}\nC: GR\xc3\x9c\xc3\x9f"
				    "E",
			" 2") S("CHARSET UTF-8 FROM {7+}\nC: j\xc3\xbcrgen", " 2")
			S("SUBJECT {5+}\nC: k\xc3\xb6ln", " 2") S("BODY {9+}\nC: sch\xc3\xb6ne s",
				" 2") S("BODY {7+}\nC: stra\xc3\x9f"
					"e",
				" 2") S("NOT BODY hello",
				" 2 3") "C: b UID SEARCH UNSEEN\n"
					"S: * SEARCH 1\n"
					"S: b OK *\n"
					"C: c SEARCH CHARSET KOI8-R ALL\n"
					"S: c NO [BADCHARSET (*)] *\n"
					"C: d SEARCH FOO\n"
					"S: d BAD *\n"
					"C: e SEARCH MODSEQ 1\n"
					"S: * SEARCH 1 2 3 (MODSEQ *)\n"
					"S: e OK *\n"
					"C: f SEARCH MODSEQ 9223372036854775807\n"
					"S: * SEARCH\n"
					"S: f OK *\n",
		NULL},
};

static void searches(void **state)
{
	(void)state;
	prepare_case = prepare;
	play_cases(CASES, ARRAY_LEN(CASES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(searches)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
