/* imapd-worker: the IMAP sessions of one uid, behind their login. A program of its own, without
 * OpenSSL: there may be one process for each user.
 * SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "imapd/imapd.h"
#include "imapd/session.h"
#include "imapd/worker_settings.h"

static const struct daemon_spec spec = {
	.name = "imapd-worker",
	.is_worker = true,
	.rights = DAEMON_FILES,
	.prepare = worker_settings_read,
	.serve = imapd_serve,
	.serves_clients = true,
	/* Only at a shutdown: a reload leaves sessions an hour. */
	.stop = session_hurry_all,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
