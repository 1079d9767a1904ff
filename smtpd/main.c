/* smtpd: takes mail in by SMTP and LMTP. It holds no mail and cannot reach the queue: cleanup does
 * the writing, auth knows the passwords, anvil asks DNS.
 * SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "daemon/server_tls.h"
#include "smtpd/service.h"

static const char *const private_files[] = {SERVER_TLS_FILES("smtpd"), "smtpd_tls_eckey_file",
	"smtpd_tls_eccert_file", NULL};

static const struct daemon_spec spec = {
	.name = "smtpd",
	.rights = 0,
	.chroot = true,
	.private_files = private_files,
	.maps = daemon_maps,
	.prepare = service_prepare,
	.session = service_session,
	.stop = service_stop,
};

int main(int argc, char **argv)
{
	return daemon_main(&spec, argc, argv);
}
