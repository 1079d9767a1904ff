/* pop3d: the front of the POP3 server, which owns the clients' sockets until they have logged in.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "daemon/daemon.h"
#include "pop3d/pop3d.h"
#include "pop3d/settings.h"

static const char *const private_files[] = {SERVER_TLS_FILES("pop3d"), NULL};

static const struct daemon_spec spec = {
	.name = "pop3d",
	.chroot = true,
	.private_files = private_files,
	.prepare = pop3d_prepare,
	.start = pop3d_start,
	.session = pop3d_front,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
