/* What the files of auth share: settings, and serving one peer.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_AUTH_H
#define TAMBO_AUTH_AUTH_H

#include "conf/conf.h"
#include "ipc/channel.h"

struct auth_settings {
	const char *mechanisms; /* auth_mechanisms */
	const char *pam_service; /* auth_pam_service_name */
	int64_t failure_delay, failure_delay_max; /* milliseconds */
	int64_t first_valid_uid, last_valid_uid;
};

/* Reads the settings, opens accounts and mechanisms. 0 or -errno. */
int auth_prepare(struct conf *conf);
const struct auth_settings *auth_settings(void);
/* Answers one peer until it closes. */
void auth_serve(struct channel *channel_take, const char *peer);

#endif
