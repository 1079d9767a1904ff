/* What the files of this command share.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_TAMBO_TAMBO_H
#define TAMBO_COMMANDS_TAMBO_TAMBO_H

#include <sys/types.h>

#include "conf/conf.h"

struct context {
	struct conf *conf;
	const char *config_dir; /* absolute */
	const char *system;     /* "Postfix": the mail_name of messages */
	bool is_root;
	bool tell; /* also say what needs no action */
};

/* check.c: makes what is missing in queue_directory and data_directory, looks at accounts,
 * parameters and master.cf. Returns how many things keep the server from starting. */
size_t check_all(struct context *context);
/* Also gives existing folders the right owner and mode. */
size_t check_folders(struct context *context, bool repair);
/* Are postdrop and postqueue set-gid, and of setgid_group? */
size_t check_commands(struct context *context, bool repair);

/* control.c: each returns the exit status. */
int control_start(struct context *context, bool foreground);
int control_signal_and_wait(struct context *context, const char *doing, int signo, int seconds);
int control_abort(struct context *context);
int control_reload(struct context *context);
int control_status(struct context *context);
int control_flush(struct context *context);
int control_logrotate(struct context *context);

#endif
