/* What pop3d-worker reads from main.cf.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3D_WORKER_SETTINGS_H
#define TAMBO_POP3D_WORKER_SETTINGS_H

#include "conf/conf.h"

struct worker_settings {
	int64_t timeout; /* of writes; milliseconds */
	int64_t idle_timeout;
	bool lock_mailbox;
};

/* 0 or -errno. */
int worker_settings_read(struct conf *conf);
const struct worker_settings *worker_settings(void);

#endif
