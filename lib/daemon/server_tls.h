/* TLS of a server process, from its parameters <prefix>_tls_*: one place for smtpd, imapd and
 * pop3d. Certificates are read through daemon_read_file, so they may be root's (name the parameters
 * in daemon_spec.private_files: SERVER_TLS_FILES).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DAEMON_SERVER_TLS_H
#define TAMBO_DAEMON_SERVER_TLS_H

#include "conf/conf.h"
#include "tls/tls.h"

struct server_tls {
	const char *security_level; /* "none", "may", "encrypt" */
	bool available;             /* a certificate is there and TLS is not "none" */
	bool required;              /* level "encrypt", or wrapper mode */
	bool wrapper;               /* TLS from the first byte */
	bool auth_only;             /* AUTH only inside TLS */
	struct tls_context *context; /* NULL unless available */
};

/* The private files of a server with this prefix, for daemon_spec.private_files. */
#define SERVER_TLS_FILES(prefix)                                                                   \
	prefix "_tls_key_file", prefix "_tls_cert_file", prefix "_tls_chain_files"

/* prefix: "smtpd", "imapd", "pop3d". alpn: "smtp", "imap", "pop3". Called in prepare(). 0, or
 * -errno when TLS is wanted (level encrypt, wrapper mode) and cannot be had; with level "may" a
 * broken certificate is logged and TLS is not available, but a want of memory or descriptors is
 * -errno. */
int server_tls_open(struct conf *conf, const char *prefix, const char *alpn,
	struct server_tls *ret_tls);
/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)", as Postfix writes it. */
void server_tls_describe(const struct tls_info *info, struct buf *out);

#endif
