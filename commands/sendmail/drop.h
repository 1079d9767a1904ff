/* postdrop(1) as sendmail drives it: one process for each message. Trouble is kept until
 * drop_finish.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_SENDMAIL_DROP_H
#define TAMBO_COMMANDS_SENDMAIL_DROP_H

#include <sys/types.h>

#include "commands/sendmail/options.h"
#include "conf/conf.h"
#include "queue/maildrop.h"

struct drop {
	pid_t pid;
	int to, from; /* its standard input and output */
	bool broken;  /* it no longer reads */
	struct maildrop_encoder encoder;
	struct buf out;
	char name[64]; /* of the stored file, after drop_finish */
};

struct drop_envelope {
	struct span sender, full_name,
		envid; /* "" for none; a full name that is unusable is left out */
	uint8_t dsn_return;
	bool eight_bit, smtputf8;
};

/* Ends the process when postdrop cannot be started. */
void drop_start(struct drop *drop, struct conf *conf, const struct options *options);
void drop_envelope(struct drop *drop, const struct drop_envelope *envelope);
void drop_recipient(struct drop *drop, struct span address, struct span orcpt, uint32_t notify);
void drop_content(struct drop *drop, struct span bytes);
/* complete false: the message is not to be stored. Returns a status of sysexits.h; 0 only when it
 * is durable. */
int drop_finish(struct drop *drop, bool complete);

#endif
