/* What pop3d, the front, reads from main.cf.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3D_SETTINGS_H
#define TAMBO_POP3D_SETTINGS_H

#include "daemon/server_tls.h"
#include "service/auth_client.h"

struct pop3d_settings {
	const char *banner;
	int64_t timeout; /* milliseconds */
	int64_t connection_limit; /* of one address */
	struct server_tls tls;
	struct auth_client *auth;
};

/* 0 or -errno. */
int pop3d_prepare(struct conf *conf);
/* Once the process runs. */
void pop3d_start(void);
/* Whom the front asks; pop3d_start names the real one. */
void pop3d_ask_auth(struct auth_client *auth);
const struct pop3d_settings *pop3d_settings(void);

#endif
