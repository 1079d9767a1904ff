/* The parameters of imapd.
 * SPDX-License-Identifier: ISC */
#include "imapd/settings.h"

#include "base/check.h"
#include "daemon/auth.h"

static struct imapd_settings settings;

static const struct setting TABLE[] = {
	SETTING("imapd_banner", SETTING_STRING, imapd_settings, banner),
	SETTING("imapd_timeout", SETTING_TIME, imapd_settings, login_timeout_ms),
	SETTING("imapd_client_connection_count_limit", SETTING_INT, imapd_settings,
		connection_limit),
	SETTING("imapd_line_length_limit", SETTING_INT, imapd_settings, line_length_limit),
	SETTING("imapd_idle_timeout", SETTING_TIME, imapd_settings, worker.timeout_ms),
	SETTING("imapd_idle_notify_interval", SETTING_TIME, imapd_settings, worker.idle_notify_ms),
	SETTING("imapd_literal_size_limit", SETTING_INT, imapd_settings, worker.append_size_limit),
};

int imapd_settings_read(struct conf *conf, bool front)
{
	int status = settings_read(conf, TABLE, ARRAY_LEN(TABLE), NULL, &settings);
	if (status != 0)
		return status;
	settings.worker.connection_limit = settings.connection_limit;
	settings.worker.limits = imap_frame_after_login;
	if (settings.line_length_limit >= 1024)
		settings.worker.limits.line_max = (size_t)settings.line_length_limit;
	settings.worker.limits.total_max =
		settings.worker.limits.line_max + 3 * settings.worker.limits.literal_max;
	return front ? server_tls_open(conf, "imapd", "imap", &settings.tls) : 0;
}

void imapd_settings_start(void)
{
	static struct auth_client auth;
	daemon_auth_open("imap", &auth);
	settings.auth = &auth;
}

const struct imapd_settings *imapd_settings(void)
{
	return &settings;
}
