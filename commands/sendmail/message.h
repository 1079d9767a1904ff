/* What sendmail(1) makes of its input.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_SENDMAIL_MESSAGE_H
#define TAMBO_COMMANDS_SENDMAIL_MESSAGE_H

#include <stdio.h>

#include "commands/sendmail/options.h"
#include "conf/conf.h"

/* Tells, and ends with that status of sysexits.h. */
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The path of one of our commands: in command_directory, or beside this program. Heap string. */
char *command_path(struct conf *conf, const char *name);

/* Reads the message from in and hands it to postdrop. Returns when it is durable; otherwise ends
 * the process with a status of sysexits.h. */
void message_submit(struct conf *conf, const struct options *options, FILE *in);

/* -bs: speaks SMTP on standard input and output until QUIT or the end. */
void smtp_stand_alone(struct conf *conf, const struct options *options);

/* Addresses in internal form. */
struct address_texts {
	char **items;
	size_t count;
};
void addresses_add(struct address_texts *addresses, struct span list);

#endif
