/* local-worker: what local does to the files of one uid, and, in a process with other rights, the
 * commands that it runs for him. It has no parameters of its own: each piece of work says all.
 * SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "local/worker.h"

static const struct daemon_spec spec = {
	.name = "local-worker",
	.is_worker = true,
	.rights = DAEMON_FILES,
	.command_rights = DAEMON_EXEC,
	.serve = worker_serve,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
