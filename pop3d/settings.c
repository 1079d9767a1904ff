/* The parameters of pop3d, the front, and what is opened before the sandbox closes.
 * SPDX-License-Identifier: ISC */
#include "pop3d/settings.h"

#include "base/check.h"
#include "daemon/auth.h"

static struct pop3d_settings settings;

static const struct setting table[] = {
	SETTING("pop3d_banner", SETTING_STRING, pop3d_settings, banner),
	SETTING("pop3d_timeout", SETTING_TIME, pop3d_settings, timeout),
	SETTING("pop3d_client_connection_count_limit", SETTING_INT, pop3d_settings, connection_limit),
};

const struct pop3d_settings *pop3d_settings(void)
{
	return &settings;
}

int pop3d_prepare(struct conf *conf)
{
	int status = settings_read(conf, table, ARRAY_LEN(table), NULL, &settings);
	return status == 0 ? server_tls_open(conf, "pop3d", "pop3", &settings.tls) : status;
}

void pop3d_start(void)
{
	static struct auth_client auth;
	daemon_auth_open("pop3", &auth);
	pop3d_ask_auth(&auth);
}

void pop3d_ask_auth(struct auth_client *auth)
{
	settings.auth = auth;
}
