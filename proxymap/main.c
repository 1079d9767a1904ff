/* proxymap: looks into tables for processes that cannot open them: files that only this account may
 * read, and types whose answers can take long.
 * SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "proxymap/service.h"

static const struct daemon_spec spec = {
	.name = "proxymap",
	.rights = 0,
	.maps = daemon_maps,
	.prepare = service_prepare,
	.serve = service_serve,
	.stop = service_stop,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
