/* Plays a conversation, written down line by line, against real session code in the same process:
 * the session runs in its task, the player in another, a socketpair in between.
 *
 *   C: text      sends text and CRLF
 *   C- text      sends text alone
 *   S: pattern   the next line matches
 *   S... pattern a later line matches, others are skipped
 *   S! pattern   as "S...", and no line before it may match the pattern behind a tab
 *   NOTHING ms   no line comes for so long
 *   WAIT ms      lets time pass
 *   EOF          the peer has closed
 *   CLOSE        the client closes
 *   WORD text    anything else is the test's own affair (settings, fakes, what is to be looked at)
 *
 * Each may be led by a digit, the number of the client ("2C: x"; without one it is 1). In the text
 * of C- \r, \n, \t, \0, \\ and \xHH stand for bytes. A pattern is compared without the line end;
 * * in it matches anything. Lines of the script that are empty or begin with # are comments.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_TRANSCRIPT_H
#define TAMBO_TESTS_TRANSCRIPT_H

#include "net/stream.h"

#define TRANSCRIPT_CLIENTS 4

struct transcript {
	const char *name; /* of the case, for the failure */
	const char *script;
	/* Called when the script first speaks of a client: starts a session on fd, in a task. */
	void (*connect)(int fd_take, int client);
	/* A line of the test's own. False: not known, or not so; *ret_why may say more. */
	bool (*directive)(struct span word, struct span text, const char **ret_why);
	void (*end)(void); /* called when all sessions have ended; may be NULL */
};

/* Opens a loop, plays, closes the loop. NULL when all was as written; otherwise what was not
 * (static text, valid until the next call). */
const char *transcript_play(const struct transcript *transcript);

/* As in the text of C-. */
void transcript_unescape(struct span text, struct buf *out);

#endif
