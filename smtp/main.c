/* smtp(8): hands mail to other servers by SMTP, or by LMTP when started as lmtp.
 * SPDX-License-Identifier: ISC */
#include <string.h>

#include "daemon/daemon.h"
#include "dns/resolve.h"
#include "smtp/cache.h"
#include "smtp/client_tls.h"
#include "smtp/sasl.h"
#include "smtp/serve.h"
#include "smtp/settings.h"

static bool is_lmtp;

static int prepare(struct conf *conf)
{
	int error = settings_load(conf, is_lmtp);
	if (error == 0)
		error = dns_open(settings.dns_servers,
			strcmp(settings.dns_support_level, "dnssec") == 0 ? DNS_VALIDATE : 0);
	if (error == 0)
		error = sasl_load();
	return error == 0 ? client_tls_load() : error;
}

static const char *const smtp_files[] = {"smtp_sasl_password_maps", "smtp_tls_policy_maps",
	"smtp_tls_key_file", "smtp_tls_cert_file", NULL};
static const char *const lmtp_files[] = {"lmtp_sasl_password_maps", "lmtp_tls_policy_maps",
	"lmtp_tls_key_file", "lmtp_tls_cert_file", NULL};

int main(int argc, char **argv)
{
	struct daemon_spec spec = {.name = "smtp", .rights = DAEMON_NETWORK_OUT, .chroot = true,
		.private_files = smtp_files, .maps = daemon_maps, .prepare = prepare, .serve = serve,
		.stop = cache_close};
	/* Which of its two protocols it speaks stands in column 8 of master.cf. */
	for (int i = 1; i < argc; i++)
		is_lmtp = is_lmtp || strcmp(argv[i], "-plmtp") == 0;
	if (is_lmtp) {
		/* UNIX sockets are reached by path. */
		spec.chroot = false;
		spec.name = "lmtp";
		spec.private_files = lmtp_files;
	}
	return daemon_main(&spec, argc, argv);
}
