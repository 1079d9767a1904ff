/* FETCH: every item, sections of nested messages, partials, what clients have stumbled over.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

/* A multipart/mixed with a text, a message inside with two parts of its own, and an attachment. */
static const char NESTED[] = "From: Ann <ann@example.org>\n"
			     "To: alice@example.test\n"
			     "SUBJECT: nested\n"
			     "Date: Mon, 7 Feb 1994 21:52:25 -0800\n"
			     "Message-ID: <nested@example.org>\n"
			     "MIME-Version: 1.0\n"
			     "X-Odd: one\n"
			     "Content-Type: multipart/mixed; boundary=outer\n"
			     "\n"
			     "preamble\n"
			     "--outer\n"
			     "\n"
			     "first\n"
			     "--outer\n"
			     "Content-Type: message/rfc822\n"
			     "\n"
			     "From: Bob <bob@example.org>\n"
			     "Subject: inner\n"
			     "Content-Type: multipart/alternative; boundary=inner\n"
			     "\n"
			     "--inner\n"
			     "Content-Type: text/plain; charset=utf-8\n"
			     "\n"
			     "plain\n"
			     "--inner\n"
			     "Content-Type: text/html\n"
			     "\n"
			     "<p>html\n"
			     "--inner--\n"
			     "--outer\n"
			     "Content-Type: application/octet-stream; name=x.bin\n"
			     "Content-Disposition: attachment; filename=x.bin\n"
			     "Content-Transfer-Encoding: base64\n"
			     "\n"
			     "AAEC\n"
			     "--outer--\n";

static void prepare(const char *name)
{
	if (strncmp(name, "nested", 6) == 0)
		put_message("", "cur", ":2,S", span_from_cstr(NESTED));
	if (strncmp(name, "crlf", 4) == 0)
		put_message("", "cur", ":2,S", SPAN("Subject: c\r\n\r\none\r\ntwo\r\n"));
	if (strncmp(name, "empty", 5) == 0)
		put_message("", "cur", ":2,S", SPAN("Subject: nothing\n\n"));
	if (strncmp(name, "huge", 4) == 0) {
		struct buf text = BUF_INIT(8 * 1024 * 1024);
		buf_append_cstr(&text, "Subject: huge\n\n");
		for (unsigned i = 0; i < 40000; i++)
			buf_append_format(
				&text, "line %05u of a long message that has LF line ends\n", i);
		put_message("", "cur", ":2,S", buf_span(&text));
		buf_done(&text);
	}
}

static void act(const char *name)
{
	char command[300];
	if (strcmp(name, "remove") == 0) {
		snprintf(command, sizeof(command), "rm -f %s/cur/* %s/new/*", maildir, maildir);
		CHECK(system(command) == 0);
	}
}

static const struct case_of CASES[] = {
	{"simple items keep the order asked",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE)\n"
		"S: * 1 FETCH (UID 1 FLAGS (\\Recent) INTERNALDATE \"13-Sep-2020 12:26:40 +0000\" RFC822.SIZE 143)\n"
		"S: b OK *\n"
		"C: c UID FETCH 1 (FLAGS)\n"
		"S: * 1 FETCH (UID 1 FLAGS (\\Recent))\n"
		"S: c OK *\n"
		"C: d UID FETCH 1 (FLAGS UID)\n"
		"S: * 1 FETCH (FLAGS (\\Recent) UID 1)\n"
		"S: d OK *\n"
		"C: e FETCH 1 FAST\n"
		"S: * 1 FETCH (FLAGS (\\Recent) INTERNALDATE * RFC822.SIZE *)\n"
		"S: e OK *\n"
		"C: f FETCH 1 ENVELOPE\n"
		"S: * 1 FETCH (ENVELOPE (\"Mon, 7 Feb 1994 21:52:25 -0800\" \"a\" ((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Ann\" NIL \"ann\" \"example.org\")) ((\"Ann\" NIL \"ann\" \"example.org\")) ((NIL NIL \"alice\" \"example.test\")) NIL NIL NIL \"<a@example.org>\"))\n"
		"S: f OK *\n"
		"C: g FETCH 1 BODY\n"
		"S: * 1 FETCH (BODY (\"text\" \"plain\" * NIL NIL \"7bit\" 9 1))\n"
		"S: g OK *\n"
		"C: h FETCH 1 (MODSEQ)\n"
		"S: * 1 FETCH (MODSEQ (*))\n"
		"S: h OK *\n"
		"C: i FETCH 7 FLAGS\n"
		"S: i BAD *\n"
		"C: j UID FETCH 7 FLAGS\n"
		"S: j OK *\n"
		"C: k FETCH 1 (FOO)\n"
		"S: k BAD *\n",
		"ab"},
	{"seen is set by BODY[] and told, not by PEEK, not in EXAMINE",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 BODY.PEEK[TEXT]\n"
		"S: * 1 FETCH (BODY[TEXT] {9}\n"
		"S: Hello a\n"
		"S: )\n"
		"S: b OK *\n"
		"C: c FETCH 1 BODY[TEXT]\n"
		"S: * 1 FETCH (BODY[TEXT] {9}\n"
		"S: Hello a\n"
		"S:  FLAGS (\\Seen \\Recent))\n"
		"S: c OK *\n"
		"C: d FETCH 1 (BODY[TEXT] FLAGS)\n"
		"S: * 1 FETCH (BODY[TEXT] {9}\n"
		"S: Hello a\n"
		"S:  FLAGS (\\Seen \\Recent))\n"
		"S: d OK *\n"
		"C: e EXAMINE INBOX\n"
		"S... e OK *\n"
		"C: f FETCH 2 RFC822.TEXT\n"
		"S: * 2 FETCH (RFC822.TEXT {9}\n"
		"S: Hello b\n"
		"S: )\n"
		"S: f OK *\n"
		"C: g FETCH 2 FLAGS\n"
		"S: * 2 FETCH (FLAGS (*))\n"
		"S: g OK *\n",
		"ab"},
	{"header fields: order and case of the request (Apple Mail)",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT dAte)]\n"
		"S: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT dAte)] {*}\n"
		"S: Subject: a\n"
		"S: Date: Mon, 7 Feb 1994 21:52:25 -0800\n"
		"S: \n"
		"S: )\n"
		"S: b OK *\n"
		"C: c FETCH 1 BODY.PEEK[HEADER.FIELDS (X-None)]\n"
		"S: * 1 FETCH (BODY[HEADER.FIELDS (X-None)] {2}\n"
		"S: \n"
		"S: )\n"
		"S: c OK *\n"
		"C: d FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (From To Date Message-ID)]\n"
		"S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (From To Date Message-ID)] {14}\n"
		"S: Subject: a\n"
		"S: \n"
		"S: )\n"
		"S: d OK *\n",
		"a"},
	{"partials: origin only, truncated, and \"\" past the end (iOS)",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 BODY.PEEK[1]<0.393216>\n"
		"S: * 1 FETCH (BODY[1]<0> {9}\n"
		"S: Hello a\n"
		"S: )\n"
		"S: b OK *\n"
		"C: c FETCH 1 BODY.PEEK[TEXT]<2.3>\n"
		"S: * 1 FETCH (BODY[TEXT]<2> {3}\n"
		"S: llo)\n"
		"S: c OK *\n"
		"C: d FETCH 1 BODY.PEEK[1]<9.100>\n"
		"S: * 1 FETCH (BODY[1]<9> \"\")\n"
		"S: d OK *\n"
		"C: e FETCH 1 BODY.PEEK[]<4294967295.4294967295>\n"
		"S: * 1 FETCH (BODY[]<4294967295> \"\")\n"
		"S: e OK *\n"
		"C: f FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]<9.2>\n"
		"S: * 1 FETCH (BODY[HEADER.FIELDS (Subject)]<9> {2}\n"
		"S: a*)\n"
		"S: f OK *\n",
		"a"},
	{"nested: sections by number",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 (BODY.PEEK[1] BODY.PEEK[2.1] BODY.PEEK[2.2] BODY.PEEK[3])\n"
		"S: * 1 FETCH (BODY[1] {5}\n"
		"S: first BODY[2.1] {5}\n"
		"S: plain BODY[2.2] {7}\n"
		"S: <p>html BODY[3] {4}\n"
		"S: AAEC)\n"
		"S: b OK *\n"
		"C: c FETCH 1 BODY.PEEK[2.HEADER]\n"
		"S: * 1 FETCH (BODY[2.HEADER] {*}\n"
		"S: From: Bob <bob@example.org>\n"
		"S: Subject: inner\n"
		"S: Content-Type: multipart/alternative; boundary=inner\n"
		"S: \n"
		"S: )\n"
		"S: c OK *\n"
		"C: d FETCH 1 BODY.PEEK[2.HEADER.FIELDS (subject)]\n"
		"S: * 1 FETCH (BODY[2.HEADER.FIELDS (subject)] {18}\n"
		"S: Subject: inner\n"
		"S: \n"
		"S: )\n"
		"S: d OK *\n"
		"C: e FETCH 1 BODY.PEEK[2.MIME]\n"
		"S: * 1 FETCH (BODY[2.MIME] {32}\n"
		"S: Content-Type: message/rfc822\n"
		"S: \n"
		"S: )\n"
		"S: e OK *\n"
		"C: f FETCH 1 BODY.PEEK[2.TEXT]<0.7>\n"
		"S: * 1 FETCH (BODY[2.TEXT]<0> {7}\n"
		"S: --inner)\n"
		"S: f OK *\n"
		"C: g FETCH 1 (BODY.PEEK[4] BODY.PEEK[1.HEADER] BODY.PEEK[1.1] BODY.PEEK[2.3.4] UID)\n"
		"S: * 1 FETCH (BODY[4] NIL BODY[1.HEADER] NIL BODY[1.1] NIL BODY[2.3.4] NIL UID 1)\n"
		"S: g OK *\n"
		"C: h FETCH 1 BODY.PEEK[3.MIME]\n"
		"S: * 1 FETCH (BODY[3.MIME] {*}\n"
		"S: Content-Type: application/octet-stream; name=x.bin\n"
		"S... h OK *\n"
		"C: i FETCH 1 BODY.PEEK[HEADER.FIELDS (x-odd Subject)]\n"
		"S: * 1 FETCH (BODY[HEADER.FIELDS (x-odd Subject)] {*}\n"
		"S: SUBJECT: nested\n"
		"S: X-Odd: one\n"
		"S: \n"
		"S: )\n"
		"S: i OK *\n",
		NULL},
	{"nested: structure",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 BODY\n"
		"S: * 1 FETCH (BODY ((\"text\" \"plain\" * NIL NIL \"7bit\" 5 *)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" * (*\"inner\"*) ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 5 *)(\"text\" \"html\" *) \"alternative\") *)(\"application\" \"octet-stream\" (\"name\" \"x.bin\") NIL NIL \"base64\" 4) \"mixed\"))\n"
		"S: b OK *\n"
		"C: c FETCH 1 BODYSTRUCTURE\n"
		"S: * 1 FETCH (BODYSTRUCTURE (*(\"attachment\" (\"filename\" \"x.bin\"))*))\n"
		"S: c OK *\n",
		NULL},
	{"crlf: a file with CRLF line ends is sent as it is",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 (RFC822.SIZE BODY.PEEK[])\n"
		"S: * 1 FETCH (RFC822.SIZE 24 BODY[] {24}\n"
		"S: Subject: c\n"
		"S: \n"
		"S: one\n"
		"S: two\n"
		"S: )\n"
		"S: b OK *\n"
		"C: c FETCH 1 BODY.PEEK[]<17.5>\n"
		"S: * 1 FETCH (BODY[]<17> {5}\n"
		"S: \n"
		"S: two)\n"
		"S: c OK *\n",
		NULL},
	{"empty body: never {0}",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 (BODY.PEEK[TEXT] BODY.PEEK[1] RFC822.TEXT)\n"
		"S: * 1 FETCH (BODY[TEXT] \"\" BODY[1] \"\" RFC822.TEXT \"\")\n"
		"S: b OK *\n",
		NULL},
	{"huge: pieces one after the other, and one in the middle",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b FETCH 1 (RFC822.SIZE)\n"
		"S: * 1 FETCH (RFC822.SIZE 2080017)\n"
		"S: b OK *\n"
		"C: c FETCH 1 BODY.PEEK[TEXT]<0.10>\n"
		"S: * 1 FETCH (BODY[TEXT]<0> {10}\n"
		"S: line 00000)\n"
		"S: c OK *\n"
		"C: d FETCH 1 BODY.PEEK[TEXT]<1040000.10>\n"
		"S: * 1 FETCH (BODY[TEXT]<1040000> {10}\n"
		"S: line 20000)\n"
		"S: d OK *\n"
		"C: e FETCH 1 BODY.PEEK[TEXT]<1040052.10>\n"
		"S: * 1 FETCH (BODY[TEXT]<1040052> {10}\n"
		"S: line 20001)\n"
		"S: e OK *\n"
		"C: f FETCH 1 BODY.PEEK[TEXT]<52.10>\n"
		"S: * 1 FETCH (BODY[TEXT]<52> {10}\n"
		"S: line 00001)\n"
		"S: f OK *\n"
		"C: g FETCH 1 BODY.PEEK[]\n"
		"S: * 1 FETCH (BODY[] {2080017}\n"
		"S... line 39999 *\n"
		"S: )\n"
		"S: g OK *\n",
		NULL},
	{"uid ranges reach the last message",
		"S: login OK *\n"
		"C: a EXAMINE INBOX\n"
		"S... a OK *\n"
		"C: b UID FETCH 20:* (FLAGS)\n"
		"S: * 3 FETCH (UID 3 FLAGS (*))\n"
		"S: b OK *\n"
		"C: c FETCH 3:1,2,* UID\n"
		"S: * 1 FETCH (UID 1)\n"
		"S: * 2 FETCH (UID 2)\n"
		"S: * 3 FETCH (UID 3)\n"
		"S: c OK *\n",
		"abc"},
	{"changed since: only those, with MODSEQ, and 0 is allowed (iOS)",
		"S: login OK *\n"
		"C: a SELECT INBOX (CONDSTORE)\n"
		"S... a OK *\n"
		"C: b FETCH 1:* (FLAGS) (CHANGEDSINCE 0)\n"
		"S: * 1 FETCH (FLAGS (*) MODSEQ (*))\n"
		"S: * 2 FETCH (FLAGS (*) MODSEQ (*))\n"
		"S: b OK *\n"
		"C: c UID FETCH 1:* (FLAGS) (CHANGEDSINCE 9223372036854775807)\n"
		"S: c OK *\n",
		"ab"},
	{"messages that are gone",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"DO remove\n"
		"C: b FETCH 1 BODY.PEEK[]\n"
		"S: b OK [EXPUNGEISSUED] *\n"
		"C: c NOOP\n"
		"S: * 1 EXPUNGE\n"
		"S: * 1 EXPUNGE\n"
		"S... c OK *\n",
		"ab"},
};

static void fetches(void **state)
{
	(void)state;
	prepare_case = prepare;
	case_action = act;
	play_cases(CASES, ARRAY_LEN(CASES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(fetches)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
