/* pop3d-worker: the POP3 sessions of one uid, behind their login. A program of its own, without
 * OpenSSL: there may be one process for each user.
 * SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "pop3d/pop3d.h"
#include "pop3d/worker_settings.h"

static const struct daemon_spec spec = {
	.name = "pop3d-worker",
	.is_worker = true,
	.rights = DAEMON_FILES,
	.prepare = worker_settings_read,
	.serve = pop3d_worker,
	.serves_clients = true,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
