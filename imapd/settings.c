/* The parameters of imapd, the front.
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
};

int imapd_settings_read(struct conf *conf)
{
	int status = settings_read(conf, TABLE, ARRAY_LEN(TABLE), NULL, &settings);
	return status == 0 ? server_tls_open(conf, "imapd", "imap", &settings.tls) : status;
}

void imapd_settings_start(void)
{
	static struct auth_client auth;
	daemon_auth_open("imap", &auth);
	imapd_settings_ask_auth(&auth);
}

void imapd_settings_ask_auth(struct auth_client *auth)
{
	settings.auth = auth;
}

const struct imapd_settings *imapd_settings(void)
{
	return &settings;
}
