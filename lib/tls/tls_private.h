/* What the files of lib/tls share.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TLS_TLS_PRIVATE_H
#define TAMBO_TLS_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "tls/tls.h"

#define TICKET_SECRET_SIZE 32

struct tls_context {
	SSL_CTX *ssl;
	char *alpn; /* NULL: none */
	unsigned char id[SSL_MAX_SID_CTX_LENGTH]; /* digest of the service's name */
	unsigned char ticket_secret[TICKET_SECRET_SIZE];
};

/* Before anything else of OpenSSL is used in this process: afterwards it has no effect. */
void tls_memory_set_up(void);
/* what, and OpenSSL's first queued error; heap string. */
char *tls_error_text(const char *what);

#endif
