/* imapd: the front of the IMAP server, which owns the clients' sockets until they have logged in.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "daemon/daemon.h"
#include "daemon/server_tls.h"
#include "imapd/front.h"
#include "imapd/imapd.h"
#include "imapd/settings.h"

static const char *const private_files[] = {SERVER_TLS_FILES("imapd"), NULL};

static const struct daemon_spec spec = {
	.name = "imapd",
	.chroot = true,
	.private_files = private_files,
	.prepare = imapd_settings_read,
	.start = imapd_settings_start,
	.session = imapd_session,
	/* Only at a shutdown: a reload leaves sessions an hour. */
	.stop = front_hurry_all,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
