/* Changing messages: STORE, COPY, MOVE, EXPUNGE, APPEND; and how other sessions learn of it.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

static const struct case_of CASES[] = {
	{"flags are set, added, removed",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"C: b STORE 1 FLAGS (\\Seen $Junk)\n"
		"S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Junk)\n"
		"S: * OK [PERMANENTFLAGS (* $Junk \\*)] *\n"
		"S: * 1 FETCH (FLAGS (\\Seen \\Recent $Junk))\n"
		"S: b OK *\n"
		"C: c STORE 1:2 +FLAGS (\\Flagged)\n"
		"S: * 1 FETCH (FLAGS (\\Flagged \\Seen \\Recent $Junk))\n"
		"S: * 2 FETCH (FLAGS (\\Flagged \\Recent))\n"
		"S: c OK *\n"
		"C: d UID STORE 1 -FLAGS ($junk \\Seen)\n"
		"S: * 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent))\n"
		"S: d OK *\n"
		"C: e STORE 1:2 FLAGS.SILENT ()\n"
		"S: e OK *\n"
		"C: f FETCH 1:2 FLAGS\n"
		"S: * 1 FETCH (FLAGS (\\Recent))\n"
		"S: * 2 FETCH (FLAGS (\\Recent))\n"
		"S: f OK *\n"
		"C: g UID STORE 77 +FLAGS (\\Seen)\n"
		"S: g OK *\n"
		"C: h STORE 1 FLAGS (\\Recent)\n"
		"S: h BAD *\n"
		"C: i STORE 9 FLAGS ()\n"
		"S: i BAD *\n",
		"ab"},
	{"conditional store",
		"S: login OK *\n"
		"C: a SELECT INBOX (CONDSTORE)\n"
		"S... a OK *\n"
		"C: b STORE 1 +FLAGS.SILENT (\\Flagged)\n"
		"S: * 1 FETCH (UID 1 MODSEQ (*))\n"
		"S: b OK *\n"
		"C: c STORE 1:2 (UNCHANGEDSINCE 0) +FLAGS (\\Seen)\n"
		"S: c OK [MODIFIED 1:2] *\n"
		"C: d UID STORE 2 (UNCHANGEDSINCE 9223372036854775807) +FLAGS (\\Seen)\n"
		"S: * 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) MODSEQ (*))\n"
		"S: d OK Store completed.\n",
		"ab"},
	{"expunge",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"C: b STORE 1,3,4 +FLAGS.SILENT (\\Deleted)\n"
		"S: b OK *\n"
		"C: c UID EXPUNGE 3\n"
		"S: * 3 EXPUNGE\n"
		"S: * 3 RECENT\n"
		"S: c OK *\n"
		"C: d EXPUNGE\n"
		"S: * 1 EXPUNGE\n"
		"S: * 2 EXPUNGE\n"
		"S: * 1 RECENT\n"
		"S: d OK *\n"
		"C: e UID SEARCH ALL\n"
		"S: * SEARCH 2\n"
		"S: e OK *\n"
		"C: f EXPUNGE\n"
		"S: f OK *\n",
		"abcd"},
	{"copy tells the new UIDs",
		"S: login OK *\n"
		"C: a CREATE x\n"
		"S: a OK *\n"
		"C: b SELECT INBOX\n"
		"S... b OK *\n"
		"C: c COPY 1:2 x\n"
		"S: c OK [COPYUID * 1:2 1:2] *\n"
		"C: d UID COPY 3 x\n"
		"S: d OK [COPYUID * 3 3] *\n"
		"C: e UID COPY 77 x\n"
		"S: e OK Copy completed.\n"
		"C: f COPY 1 Nowhere\n"
		"S: f NO [TRYCREATE] *\n"
		"C: g COPY 9 x\n"
		"S: g BAD *\n"
		"C: h STATUS x (MESSAGES)\n"
		"S: * STATUS x (MESSAGES 3)\n"
		"S: h OK *\n"
		"C: i COPY 1 INBOX\n"
		"S: * 4 EXISTS\n"
		"S: * * RECENT\n"
		"S: i OK [COPYUID * 1 4] *\n",
		"abc"},
	{"move tells the UIDs first, and a stale UID is no error (iPhone)",
		"S: login OK *\n"
		"C: a CREATE x\n"
		"S: a OK *\n"
		"C: b SELECT INBOX\n"
		"S... b OK *\n"
		"C: c MOVE 2 x\n"
		"S: * OK [COPYUID * 2 1] *\n"
		"S: * 2 EXPUNGE\n"
		"S: * 2 RECENT\n"
		"S: c OK *\n"
		"C: d UID MOVE 2 x\n"
		"S: d OK *\n"
		"C: e MOVE 1 Nowhere\n"
		"S: e NO [TRYCREATE] *\n"
		"C: f SELECT x\n"
		"S... f OK *\n"
		"C: g FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]\n"
		"S: * 1 FETCH (*\n"
		"S: Subject: b\n"
		"S... g OK *\n",
		"abc"},
	{"append",
		"S: login OK *\n"
		"C: b APPEND INBOX (\\Seen $Forwarded) \"07-Feb-1994 21:52:25 -0800\" {20}\n"
		"S: + OK\n"
		"C- Subject: x\\r\\n\\r\\nbody\\r\\n\\r\\n\n"
		"S: b OK [APPENDUID * 1] *\n"
		"C: c SELECT INBOX\n"
		"S... c OK *\n"
		"C: d FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\n"
		"S: * 1 FETCH (FLAGS (\\Seen* $Forwarded) INTERNALDATE \"08-Feb-1994 05:52:25 +0000\" RFC822.SIZE 20 BODY[] {20}\n"
		"S: Subject: x\n"
		"S: \n"
		"S: body\n"
		"S: )\n"
		"S: d OK *\n"
		"C- e APPEND inbox {3+}\\r\\nabc\\r\\nf NOOP\\r\\n\n"
		"S: * 2 EXISTS\n"
		"S: * * RECENT\n"
		"S: e OK [APPENDUID * 2] *\n"
		"S: f OK *\n",
		NULL},
	{"append that cannot be",
		"S: login OK *\n"
		"C: a APPEND Nowhere {3}\n"
		"S: a NO [TRYCREATE] *\n"
		"C- b APPEND Nowhere {3+}\\r\\nabc\\r\\nc NOOP\\r\\n\n"
		"S: b NO [TRYCREATE] *\n"
		"S: c OK *\n"
		"C: d APPEND INBOX {1000001}\n"
		"S: d NO [TOOBIG] *\n"
		"C: e APPEND INBOX {0}\n"
		"S: e NO *\n"
		"C: f APPEND INBOX (\\Foo) {3}\n"
		"S: + OK\n"
		"C: abc\n"
		"S: f BAD *\n"
		"C- g APPEND INBOX {3+}\\r\\nabc {3+}\\r\\ndef\\r\\n\n"
		"S: g BAD *\n"
		"C- h APPEND INBOX {3+}\\r\\na\\x00c\\r\\n\n"
		"S: h NO *\n"
		"C: i STATUS INBOX (MESSAGES)\n"
		"S: * STATUS INBOX (MESSAGES 0)\n"
		"S: i OK *\n"
		"C: j APPEND {5}\n"
		"S: + OK\n"
		"C: INBOX {3}\n"
		"S: + OK\n"
		"C: abc\n"
		"S: j OK [APPENDUID * 1] *\n",
		NULL},
	{"other sessions see changes, EXPUNGE only when it may be told",
		"S: login OK *\n"
		"2S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"2C: a SELECT INBOX\n"
		"2S... a OK *\n"
		"C: b STORE 2 +FLAGS (\\Flagged)\n"
		"S... b OK *\n"
		"2C: b NOOP\n"
		"2S: * 2 FETCH (FLAGS (\\Flagged))\n"
		"2S: b OK *\n"
		"C: c STORE 1 +FLAGS.SILENT (\\Deleted)\n"
		"S: c OK *\n"
		"C: d EXPUNGE\n"
		"S... d OK *\n"
		"2C: c FETCH 3 UID\n"
		"2S: * 3 FETCH (UID 3)\n"
		"2S! c OK *\t* EXPUNGE\n"
		"2C: d SEARCH ALL\n"
		"2S! d OK *\t* EXPUNGE\n"
		"2C: e UID FETCH 3 UID\n"
		"2S: * 3 FETCH (UID 3)\n"
		"2S: * 1 EXPUNGE\n"
		"2S: e OK *\n"
		"2C: f FETCH 2 UID\n"
		"2S: * 2 FETCH (UID 3)\n"
		"2S: f OK *\n",
		"abc"},
	{"UID FETCH n:* sees what another session added",
		"S: login OK *\n"
		"2S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"2C- a APPEND INBOX {3+}\\r\\nabc\\r\\n\n"
		"2S: a OK *\n"
		"C: b NOOP\n"
		"S: * 2 EXISTS\n"
		"S: * * RECENT\n"
		"S: b OK *\n"
		"C: c UID FETCH 2:* UID\n"
		"S: * 2 FETCH (UID 2)\n"
		"S: c OK *\n",
		"a"},
};

static void changes(void **state)
{
	(void)state;
	play_cases(CASES, ARRAY_LEN(CASES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(changes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
