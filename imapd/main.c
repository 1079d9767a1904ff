/* imapd: the IMAP server. One program is the front, which owns the clients' sockets, and the
 * per-uid worker, which owns one person's mail; master says which.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "daemon/daemon.h"
#include "daemon/server_tls.h"
#include "imapd/front.h"
#include "imapd/imapd.h"
#include "imapd/settings.h"

static const char *const private_files[] = {SERVER_TLS_FILES("imapd"), NULL};

static int prepare(struct conf *conf)
{
	return imapd_settings_read(conf, !daemon_is_worker());
}

/* Only at a shutdown: a reload leaves sessions an hour. */
static void stop(void)
{
	front_hurry_all();
	session_hurry_all();
}

static const struct daemon_spec spec = {
	.name = "imapd",
	.worker_rights = DAEMON_FILES,
	.chroot = true,
	.private_files = private_files,
	.prepare = prepare,
	.start = imapd_settings_start,
	.session = imapd_session,
	.serve = imapd_serve,
	.stop = stop,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
