/* $name in forward_path, luser_relay, mailbox_command: user, home, shell, recipient, extension,
 * local, domain, recipient_delimiter (local(8)).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_LOCAL_TEMPLATE_H
#define TAMBO_LOCAL_TEMPLATE_H

#include "local/local.h"

enum template_use {
	TEMPLATE_PATH,    /* a '/' in a value becomes '_' where it is the sender's choice */
	TEMPLATE_ADDRESS,
	TEMPLATE_COMMAND, /* bytes outside command_expansion_filter become '_' */
};

/* account may be NULL: no home, no shell. The result lives in the arena. False: a syntax error. */
bool template_expand(struct delivery *delivery, const struct target *target,
	const struct account *account, struct span text, enum template_use use, struct span *ret_text);

#endif
