/* auth: who is this?
 * SPDX-License-Identifier: ISC */
#include "auth/auth.h"
#include "daemon/daemon.h"

static const char *const private_files[] = {"auth_user_maps", NULL};

static const struct daemon_spec spec = {
	.name = "auth",
	.rights = DAEMON_PASSWORDS,
	.private_files = private_files,
	.maps = daemon_maps,
	.prepare = auth_prepare,
	.serve = auth_serve,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
