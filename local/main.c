/* local: delivers to mailboxes, files and commands of this host, also of virtual mailbox domains.
 * One program is the front and the per-uid workers; master says
 * which. SPDX-License-Identifier: ISC */
#include "local/local.h"

static const char *const private_files[] = {"auth_user_maps", NULL};

static void start(void)
{
	if (!daemon_is_worker())
		checkpoint_start();
}

static void serve(struct channel *channel, const char *peer)
{
	if (daemon_is_worker())
		worker_serve(channel);
	else
		local_serve(channel, peer);
}

static void stop(void)
{
	if (!daemon_is_worker())
		checkpoint_stop();
}

static const struct daemon_spec spec = {
	.name = "local",
	.worker_rights = DAEMON_FILES,
	.command_rights = DAEMON_EXEC,
	.private_files = private_files,
	.prepare = local_prepare,
	.start = start,
	.serve = serve,
	.stop = stop,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
