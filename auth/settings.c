/* The parameters of auth, and what is opened before the sandbox closes.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/mechanism.h"
#include "auth/system.h"
#include "auth/throttle.h"
#include "auth/verify.h"
#include "base/check.h"
#include "base/log.h"

static struct auth_settings settings;

static const struct setting table[] = {
	SETTING("auth_mechanisms", SETTING_STRING, auth_settings, mechanisms),
	SETTING("auth_pam_service_name", SETTING_STRING, auth_settings, pam_service),
	SETTING("auth_failure_delay", SETTING_TIME, auth_settings, failure_delay),
	SETTING("auth_failure_delay_max", SETTING_TIME, auth_settings, failure_delay_max),
	SETTING("first_valid_uid", SETTING_INT, auth_settings, first_valid_uid),
	SETTING("last_valid_uid", SETTING_INT, auth_settings, last_valid_uid),
};

const struct auth_settings *auth_settings(void)
{
	return &settings;
}

int auth_prepare(struct conf *conf)
{
	char *error = NULL;
	int status = settings_read(conf, table, ARRAY_LEN(table), NULL, &settings);
	if (status != 0)
		return status;
	throttle_configure(settings.failure_delay, settings.failure_delay_max);
	system_use_service(settings.pam_service);
	verify_configure(settings.first_valid_uid, settings.last_valid_uid);
	struct route *route = route_open(conf, &error);
	struct accounts *accounts = route == NULL ? NULL : accounts_open(conf, route, &error);
	if (accounts == NULL) {
		log_fatal(NULL, "%s", error == NULL ? "cannot open the accounts" : error);
		free(error);
		return -EINVAL;
	}
	return mechanism_open(accounts, settings.mechanisms);
}
