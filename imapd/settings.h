/* What imapd reads from main.cf.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_SETTINGS_H
#define TAMBO_IMAPD_SETTINGS_H

#include "daemon/server_tls.h"
#include "imapd/session.h"
#include "service/auth_client.h"

struct imapd_settings {
	const char *banner;
	int64_t login_timeout_ms; /* imapd_timeout */
	int64_t connection_limit; /* of one address */
	int64_t line_length_limit;
	struct worker_settings worker;
	struct server_tls tls;    /* front only */
	struct auth_client *auth; /* front only */
};

/* 0 or -errno; front: TLS too. */
int imapd_settings_read(struct conf *conf, bool front);
/* Once the process runs. */
void imapd_settings_start(void);
const struct imapd_settings *imapd_settings(void);

#endif
