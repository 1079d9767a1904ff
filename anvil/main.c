/* anvil: what the processes of one host share about their clients, and the host's questions to DNS
 * on behalf of processes that have no network.
 * SPDX-License-Identifier: ISC */
#include "anvil/service.h"
#include "daemon/daemon.h"

static const struct daemon_spec spec = {
	.name = "anvil",
	.rights = DAEMON_NETWORK_OUT,
	.chroot = true,
	.prepare = service_prepare,
	.serve = service_serve,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
