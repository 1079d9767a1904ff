/* What imapd-worker reads from main.cf.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_WORKER_SETTINGS_H
#define TAMBO_IMAPD_WORKER_SETTINGS_H

#include "conf/conf.h"
#include "imap/frame.h"

struct worker_settings {
	int64_t timeout_ms;	   /* imapd_idle_timeout */
	int64_t idle_notify_ms;	   /* imapd_idle_notify_interval */
	int64_t append_size_limit; /* imapd_literal_size_limit; 0: none */
	int64_t connection_limit; /* sessions of this user from one address; 0: any number */
	int64_t line_length_limit;
	struct imap_frame_limits limits; /* with line_length_limit */
};

/* 0 or -errno. */
int worker_settings_read(struct conf *conf);
const struct worker_settings *worker_settings(void);

#endif
