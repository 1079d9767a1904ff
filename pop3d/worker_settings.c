/* The parameters of pop3d-worker.
 * SPDX-License-Identifier: ISC */
#include "pop3d/worker_settings.h"

#include "base/check.h"

static struct worker_settings settings;

static const struct setting table[] = {
	SETTING("pop3d_timeout", SETTING_TIME, worker_settings, timeout),
	SETTING("pop3d_idle_timeout", SETTING_TIME, worker_settings, idle_timeout),
	SETTING("pop3d_lock_mailbox", SETTING_BOOL, worker_settings, lock_mailbox),
};

int worker_settings_read(struct conf *conf)
{
	return settings_read(conf, table, ARRAY_LEN(table), NULL, &settings);
}

const struct worker_settings *worker_settings(void)
{
	return &settings;
}
