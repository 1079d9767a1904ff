/* pop3d: mail by POP3.
 * SPDX-License-Identifier: ISC */
#include "pop3d/pop3d.h"

static const char *const private_files[] = {SERVER_TLS_FILES("pop3d"), NULL};

static const struct daemon_spec spec = {
	.name = "pop3d",
	.worker_rights = DAEMON_FILES,
	.chroot = true,
	.private_files = private_files,
	.prepare = pop3d_prepare,
	.start = pop3d_start,
	.session = pop3d_front,
	.serve = pop3d_worker,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
