/* The parameters of imapd-worker.
 * SPDX-License-Identifier: ISC */
#include "imapd/worker_settings.h"

#include "base/check.h"

#define LINE_LENGTH_LEAST 1024

static struct worker_settings settings;

static const struct setting TABLE[] = {
	SETTING("imapd_client_connection_count_limit", SETTING_INT, worker_settings,
		connection_limit),
	SETTING("imapd_line_length_limit", SETTING_INT, worker_settings, line_length_limit),
	SETTING("imapd_idle_timeout", SETTING_TIME, worker_settings, timeout_ms),
	SETTING("imapd_idle_notify_interval", SETTING_TIME, worker_settings, idle_notify_ms),
	SETTING("imapd_literal_size_limit", SETTING_INT, worker_settings, append_size_limit),
};

int worker_settings_read(struct conf *conf)
{
	int status = settings_read(conf, TABLE, ARRAY_LEN(TABLE), NULL, &settings);
	if (status != 0)
		return status;
	struct imap_frame_limits *limits = &settings.limits;
	*limits = imap_frame_after_login;
	if (settings.line_length_limit >= LINE_LENGTH_LEAST)
		limits->line_max = (size_t)settings.line_length_limit;
	limits->total_max = limits->line_max + 3 * limits->literal_max;
	return 0;
}

const struct worker_settings *worker_settings(void)
{
	return &settings;
}
