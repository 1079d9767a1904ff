/* What imapd, the front, reads from main.cf.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_SETTINGS_H
#define TAMBO_IMAPD_SETTINGS_H

#include "daemon/server_tls.h"
#include "service/auth_client.h"

struct imapd_settings {
	const char *banner;
	int64_t login_timeout_ms; /* imapd_timeout */
	int64_t connection_limit; /* of one address */
	struct server_tls tls;
	struct auth_client *auth;
};

/* 0 or -errno. */
int imapd_settings_read(struct conf *conf);
/* Once the process runs. */
void imapd_settings_start(void);
/* Whom the front asks; imapd_settings_start names the real one. */
void imapd_settings_ask_auth(struct auth_client *auth);
const struct imapd_settings *imapd_settings(void);

#endif
