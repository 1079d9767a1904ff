/* IDLE: changes at once, DONE and what follows in one packet, keepalive, timeout.
 * SPDX-License-Identifier: ISC */
#include "fixture.h"

static void act(const char *name)
{
	char command[300];
	if (strcmp(name, "deliver") == 0) {
		put_simple("", "new");
	} else if (strcmp(name, "remove") == 0) {
		snprintf(command, sizeof(command), "rm -f %s/cur/* %s/new/*", maildir, maildir);
		CHECK(system(command) == 0);
	} else if (strcmp(name, "short") == 0) {
		settings.timeout_ms = 600;
		settings.idle_notify_ms = 200;
	} else if (strcmp(name, "long") == 0) {
		settings.timeout_ms = 30 * 60 * 1000;
		settings.idle_notify_ms = 4 * 60 * 1000;
	}
}

static const struct case_of CASES[] = {
	{"a delivery, a removal and another session's flags show at once",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"C: b IDLE\n"
		"S: + idling\n"
		"NOTHING 100\n"
		"DO deliver\n"
		"S: * 2 EXISTS\n"
		"S: * * RECENT\n"
		"2S: login OK *\n"
		"2C: a SELECT INBOX\n"
		"2S... a OK *\n"
		"2C: b STORE 1 +FLAGS (\\Flagged)\n"
		"2S... b OK *\n"
		"S: * 1 FETCH (FLAGS (\\Flagged*))\n"
		"DO remove\n"
		"S... * 1 EXPUNGE\n"
		"C: DONE\n"
		"S... b OK *\n",
		"a"},
	{"DONE and the next commands in one packet (iOS)",
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"C: b IDLE\n"
		"S: + idling\n"
		"C- DONE\\r\\nc NOOP\\r\\nd STATUS INBOX (MESSAGES)\\r\\n\n"
		"S: b OK *\n"
		"S: c OK *\n"
		"S: * STATUS INBOX (MESSAGES 1)\n"
		"S: d OK *\n",
		"a"},
	{"IDLE and DONE in one packet",
		"S: login OK *\n"
		"C- b IDLE\\r\\nDONE\\r\\nc NOOP\\r\\n\n"
		"S: + idling\n"
		"S: b OK *\n"
		"S: c OK *\n",
		NULL},
	{"garbage instead of DONE",
		"S: login OK *\n"
		"C: b IDLE\n"
		"S: + idling\n"
		"C: c NOOP\n"
		"S: b BAD *\n"
		"C: d NOOP\n"
		"S: d OK *\n",
		NULL},
	{"still here, and the end",
		"DO short\n"
		"S: login OK *\n"
		"C: a SELECT INBOX\n"
		"S... a OK *\n"
		"C: b IDLE\n"
		"S: + idling\n"
		"S: * OK Still here\n"
		"S: * OK Still here\n"
		"S... * BYE *\n"
		"S: b NO *\n"
		"EOF\n"
		"DO long\n",
		NULL},
	{"a silent client is sent away",
		"DO short\n"
		"S: login OK *\n"
		"S: * BYE *\n"
		"EOF\n"
		"DO long\n",
		NULL},
};

static void idles(void **state)
{
	(void)state;
	case_action = act;
	play_cases(CASES, ARRAY_LEN(CASES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(idles)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
