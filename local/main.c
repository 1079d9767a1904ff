/* local: delivers to mailboxes, files and commands of this host, also of virtual mailbox domains.
 * This is the front, which decides; local-worker does it.
 * SPDX-License-Identifier: ISC */
#include "local/local.h"

static const char *const private_files[] = {"auth_user_maps", NULL};

static const struct daemon_spec spec = {
	.name = "local",
	.private_files = private_files,
	.maps = daemon_maps,
	.prepare = local_prepare,
	.start = checkpoint_start,
	.serve = local_serve,
	.stop = checkpoint_stop,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
