/* Mailboxes: listing, making, renaming, selecting, status; and what is answered to nonsense.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

static const struct case_of CASES[] = {
	{"greeting and what needs no mailbox",
		"S: login OK [CAPABILITY IMAP4rev1 *] Logged in\n"
		"C: a CAPABILITY\n"
		"S: * CAPABILITY IMAP4rev1 *IDLE*NAMESPACE*UIDPLUS*CHILDREN MOVE*SPECIAL-USE*CONDSTORE\n"
		"S: a OK *\n"
		"C: b NOOP\n"
		"S: b OK *\n"
		"C: c ID (\"name\" \"test\")\n"
		"S: * ID (\"name\" \"Tambo\")\n"
		"S: c OK *\n"
		"C: d NAMESPACE\n"
		"S: * NAMESPACE ((\"\" \"/\")) NIL NIL\n"
		"S: d OK *\n"
		"C: e ENABLE CONDSTORE X-FOO\n"
		"S: * ENABLED CONDSTORE\n"
		"S: e OK *\n"
		"C: f LOGIN a b\n"
		"S: f BAD *\n"
		"C: g FETCH 1 FLAGS\n"
		"S: g BAD No mailbox is selected\n"
		"C: h LOGOUT\n"
		"S: * BYE *\n"
		"S: h OK *\n"
		"EOF\n",
		NULL},
	{"select tells all there is to tell",
		"S: login OK *\n"
		"C: a SELECT inbox\n"
		"S: * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n"
		"S: * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] *\n"
		"S: * 2 EXISTS\n"
		"S: * 2 RECENT\n"
		"S: * OK [UNSEEN 1] *\n"
		"S: * OK [UIDVALIDITY *] *\n"
		"S: * OK [UIDNEXT 3] *\n"
		"S: * OK [HIGHESTMODSEQ *] *\n"
		"S: a OK [READ-WRITE] *\n"
		"C: b EXAMINE INBOX\n"
		"S... b OK [READ-ONLY] *\n"
		"C: c STORE 1 FLAGS (\\Seen)\n"
		"S: c NO *\n"
		"C: d SELECT Nowhere\n"
		"S: d NO [NONEXISTENT] *\n"
		"C: e FETCH 1 FLAGS\n"
		"S: e BAD No mailbox is selected\n",
		"ab"},
	{"mailboxes come and go",
		"S: login OK *\n"
		"C: a CREATE Work/2026/\n"
		"S: a OK *\n"
		"C: b CREATE Work/2026\n"
		"S: b NO [ALREADYEXISTS] *\n"
		"C: c LIST \"\" *\n"
		"S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
		"S: * LIST (\\Noselect \\HasChildren) \"/\" Work\n"
		"S: * LIST (\\HasNoChildren) \"/\" Work/2026\n"
		"S: c OK *\n"
		"C: d LIST \"\" %\n"
		"S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
		"S: * LIST (\\Noselect \\HasChildren) \"/\" Work\n"
		"S: d OK *\n"
		"C: e LIST Work/ %\n"
		"S: * LIST (\\HasNoChildren) \"/\" Work/2026\n"
		"S: e OK *\n"
		"C: f LIST \"\" \"\"\n"
		"S: * LIST (\\Noselect) \"/\" \"\"\n"
		"S: f OK *\n"
		"C: g RENAME Work Play\n"
		"S: g OK *\n"
		"C: h LIST \"\" *2026\n"
		"S: * LIST (\\HasNoChildren) \"/\" Play/2026\n"
		"S: h OK *\n"
		"C: i DELETE Play/2026\n"
		"S: i OK *\n"
		"C: j DELETE INBOX\n"
		"S: j NO *\n"
		"C: k LIST \"\" *\n"
		"S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
		"S: k OK *\n"
		"C: l DELETE Nowhere\n"
		"S: l NO [NONEXISTENT] *\n",
		NULL},
	{"names that lead nowhere good",
		"S: login OK *\n"
		"C: a CREATE ../../etc\n"
		"S: a *\n"
		"C: b CREATE a/../b\n"
		"S: b *\n"
		"DO check-root\n"
		"C: c CREATE /abs\n"
		"S: c NO *\n"
		"C: d CREATE a//b\n"
		"S: d NO *\n"
		"C: e CREATE &AC8-\n"
		"S: e NO *\n"
		"C: f CREATE \"&bad\"\n"
		"S: f NO *\n"
		"C: g CREATE {3+}\n"
		"C- a\\x00b\\r\\n\n"
		"S: g BAD *\n",
		NULL},
	{"dots, wildcards and the Maildir's own names",
		"S: login OK *\n"
		"C: a CREATE ..\n"
		"S: a NO *\n"
		"C: b CREATE .\n"
		"S: b NO *\n"
		"C: c SELECT ..\n"
		"S: c NO *\n"
		"C: d STATUS .. (MESSAGES)\n"
		"S: d NO *\n"
		"C: e DELETE ..\n"
		"S: e NO *\n"
		"C: f RENAME .. x\n"
		"S: f NO *\n"
		"C: g CREATE INBOX/../x\n"
		"S: g NO *\n"
		"C: h CREATE &AC4ALg-\n"
		"S: h NO *\n"
		"C: i CREATE ..//..\n"
		"S: i NO *\n"
		"C: j COPY 1 ..\n"
		"S: j BAD *\n"
		"C: k APPEND .. {1}\n"
		"S: k NO *\n"
		"C: l SUBSCRIBE ../..\n"
		"S: l *\n"
		"C: m CREATE \"a*b\"\n"
		"S: m *\n"
		"DO check-root\n"
		"C: z LIST \"\" *\n"
		"S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
		"S... z OK *\n",
		NULL},
	{"names in other scripts",
		"S: login OK *\n"
		"C: a CREATE Entw&APw-rfe\n"
		"S: a OK *\n"
		"C: b LIST \"\" Entw*\n"
		"S: * LIST (*\\HasNoChildren*) \"/\" Entw&APw-rfe\n"
		"S: b OK *\n"
		"C: c CREATE \"a.b c\"\n"
		"S: c OK *\n"
		"C: d LIST \"\" a*\n"
		"S: * LIST (\\HasNoChildren) \"/\" \"a.b c\"\n"
		"S: d OK *\n",
		NULL},
	{"subscriptions are of names",
		"S: login OK *\n"
		"C: a SUBSCRIBE INBOX\n"
		"S: a OK *\n"
		"C: b CREATE x/y\n"
		"S: b OK *\n"
		"C: c SUBSCRIBE x/y\n"
		"S: c OK *\n"
		"C: d LSUB \"\" *\n"
		"S: * LSUB (\\HasNoChildren) \"/\" INBOX\n"
		"S: * LSUB (\\HasNoChildren) \"/\" x/y\n"
		"S: d OK *\n"
		"C: e LSUB \"\" %\n"
		"S: * LSUB (\\HasNoChildren) \"/\" INBOX\n"
		"S: * LSUB (\\Noselect \\HasChildren) \"/\" x\n"
		"S: e OK *\n"
		"C: f LIST (SUBSCRIBED) \"\" *\n"
		"S: * LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX\n"
		"S: * LIST (\\Subscribed \\HasNoChildren) \"/\" x/y\n"
		"S: f OK *\n"
		"C: g DELETE x/y\n"
		"S: g OK *\n"
		"C: h LSUB \"\" x/y\n"
		"S: * LSUB (*) \"/\" x/y\n"
		"S: h OK *\n"
		"C: i UNSUBSCRIBE x/y\n"
		"S: i OK *\n"
		"C: j LSUB \"\" x/y\n"
		"S: j OK *\n",
		NULL},
	{"special use is told in LIST and in LSUB (Outlook)",
		"S: login OK *\n"
		"C: a CREATE Sent\n"
		"S: a OK *\n"
		"C: b SUBSCRIBE Sent\n"
		"S: b OK *\n"
		"C: c LIST \"\" Sent\n"
		"S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
		"S: c OK *\n"
		"C: d LSUB \"\" Sent\n"
		"S: * LSUB (\\HasNoChildren \\Sent) \"/\" Sent\n"
		"S: d OK *\n"
		"C: e LIST (SPECIAL-USE) \"\" *\n"
		"S: * LIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
		"S: e OK *\n"
		"C: f LIST \"\" (INBOX Sent) RETURN (SPECIAL-USE SUBSCRIBED)\n"
		"S: * LIST (\\HasNoChildren) \"/\" INBOX\n"
		"S: * LIST (\\Subscribed \\HasNoChildren \\Sent) \"/\" Sent\n"
		"S: f OK *\n",
		NULL},
	{"renaming INBOX moves its messages",
		"S: login OK *\n"
		"C: a RENAME INBOX Old\n"
		"S: a OK *\n"
		"C: b STATUS Old (MESSAGES)\n"
		"S: * STATUS Old (MESSAGES 2)\n"
		"S: b OK *\n"
		"C: c STATUS inbox (MESSAGES UNSEEN)\n"
		"S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)\n"
		"S: c OK *\n",
		"ab"},
	{"status in the order of RFC 3501, never empty",
		"S: login OK *\n"
		"C: a STATUS INBOX (UNSEEN MESSAGES UIDNEXT UIDVALIDITY RECENT HIGHESTMODSEQ)\n"
		"S: * STATUS INBOX (MESSAGES 1 RECENT 1 UIDNEXT 2 UIDVALIDITY * UNSEEN 1 HIGHESTMODSEQ *)\n"
		"S: a OK *\n"
		"C: b STATUS INBOX ()\n"
		"S: b BAD *\n"
		"C: c STATUS Nowhere (MESSAGES)\n"
		"S: c NO *\n",
		"a"},
	{"close expunges in silence, unselect does not",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"C: b STORE 1 +FLAGS.SILENT (\\Deleted)\n"
		"S: b OK *\n"
		"C: c UNSELECT\n"
		"S: c OK *\n"
		"C: d STATUS INBOX (MESSAGES)\n"
		"S: * STATUS INBOX (MESSAGES 2)\n"
		"S: d OK *\n"
		"C: e SELECT INBOX\n"
		"S... e OK *\n"
		"C: f CLOSE\n"
		"S: f OK *\n"
		"C: g STATUS INBOX (MESSAGES)\n"
		"S: * STATUS INBOX (MESSAGES 1)\n"
		"S: g OK *\n"
		"C: h CLOSE\n"
		"S: h BAD *\n",
		"ab"},
	{"nonsense does no harm",
		"S: login OK *\n"
		"C: \n"
		"S: * BAD *\n"
		"C: a\n"
		"S: a BAD *\n"
		"C: * NOOP\n"
		"S: * BAD *\n"
		"C: a FOO\n"
		"S: a BAD Unknown command\n"
		"C: a UID NOOP\n"
		"S: a BAD *\n"
		"C: a NOOP x\n"
		"S: a BAD *\n"
		"C: a SELECT\n"
		"S: a BAD *\n"
		"C: a SELECT {99999999999}\n"
		"S: a BAD *\n"
		"C: a SELECT {900000}\n"
		"S: a BAD [TOOBIG] *\n"
		"C: b NOOP\n"
		"S: b OK *\n"
		"C: c SELECT {5}\n"
		"S: + OK\n"
		"C: INBOX\n"
		"S... c OK *\n",
		NULL},
	{"too much nonsense ends the session",
		"S: login OK *\n"
		"C: a A\nC: a B\nC: a C\nC: a D\nC: a E\nC: a F\nC: a G\nC: a H\nC: a I\nC: a J\nC: a K\n"
		"S... * BYE Too many invalid commands\n"
		"EOF\n",
		NULL},
	{"pipelined commands are answered in order",
		"S: login OK *\n"
		"C- a NOOP\\r\\nb STATUS INBOX (MESSAGES)\\r\\nc NOOP\\r\\n\n"
		"S: a OK *\n"
		"S: * STATUS INBOX (MESSAGES 0)\n"
		"S: b OK *\n"
		"S: c OK *\n",
		NULL},
	{"too many sessions from one address",
		"DO one-session\n"
		"S: login OK *\n"
		"2S: login NO [LIMIT] *\n"
		"2S: * BYE *\n"
		"2EOF\n"
		"C: a LOGOUT\n"
		"S... a OK *\n"
		"EOF\n"
		"3S: login OK *\n"
		"DO any-sessions\n",
		NULL},
	{"a mailbox deleted under a session",
		"S: login OK *\n"
		"2S: login OK *\n"
		"C: a CREATE x\n"
		"S: a OK *\n"
		"C: b SELECT x\n"
		"S... b OK *\n"
		"2C: a DELETE x\n"
		"2S: a OK *\n"
		"C: c NOOP\n"
		"S: * BYE *\n"
		"S: c OK *\n"
		"EOF\n",
		NULL},
};

/* check-root: nothing but the Maildir may be where the Maildir is. */
static void act(const char *name)
{
	struct stat info;
	char path[200];
	if (strcmp(name, "check-root") != 0) {
		settings.connection_limit = strcmp(name, "one-session") == 0 ? 1 : 0;
		return;
	}
	CHECK(stat(root, &info) == 0);
	assert_int_equal(info.st_nlink, 3); /* itself, ".." and Maildir */
	snprintf(path, sizeof(path), "%s/etc", root);
	assert_int_equal(access(path, F_OK), -1);
}

static void mailboxes(void **state)
{
	(void)state;
	case_action = act;
	play_cases(CASES, ARRAY_LEN(CASES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(mailboxes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
