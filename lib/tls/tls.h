/* TLS for streams: the only room that includes OpenSSL. Contexts are made once per configuration;
 * handshakes and I/O run in tasks. TLS 1.2 and later unless the protocols setting says otherwise;
 * no renegotiation, no compression. Tickets are bound to the context's name, so that one service's
 * ticket is never accepted by another.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TLS_TLS_H
#define TAMBO_TLS_TLS_H

#include "net/stream.h"

struct tls_context;

struct tls_settings {
	const char *name; /* of the service; tickets are bound to it */
	/* PEM. chain_pem holds the certificate chain, key_pem the key (may be the same bytes). For a
	 * client both may be empty. Up to four pairs (RSA, ECDSA ...). */
	struct {
		struct span chain_pem, key_pem;
	} pairs[4];
	size_t pair_count;
	const char *protocols; /* Postfix syntax: ">=TLSv1.2", "!SSLv2, !SSLv3", "TLSv1.2 TLSv1.3" */
	const char *ciphers; /* grade: high, medium, or an OpenSSL list */
	const char *exclude_ciphers;
	const char *alpn; /* server: the one protocol name ("smtp", "imap", "pop3"); NULL: none */
	const char *ca_file, *ca_path; /* trust anchors; NULL: none; "system": the system's */
	bool ask_client_certificate;
	bool prefer_server_ciphers;
	struct span ticket_secret; /* 32 bytes or more shared by the workers; empty: random */
};

/* NULL and a text in *ret_error (free it) when the settings cannot be used. */
struct tls_context *tls_server_context(const struct tls_settings *settings, char **ret_error);
struct tls_context *tls_client_context(const struct tls_settings *settings, char **ret_error);
void tls_context_free(struct tls_context *context);

enum tls_verify { TLS_VERIFY_NONE, TLS_VERIFY_CHAIN, TLS_VERIFY_CHAIN_AND_NAME };

/* Handshakes on a plain stream; plaintext input buffered before is dropped first. 0, -ETIMEDOUT,
 * -ECANCELED, -EPIPE, or -EPROTO with a text for the log in *ret_error (free it). */
int tls_accept(struct stream *stream, struct tls_context *context, task_time deadline,
	char **ret_error);
/* server_name: for SNI and for TLS_VERIFY_CHAIN_AND_NAME (RFC 6125; a "*." label matches one).
 * A failed verification is not an error here: see tls_info.verified. */
int tls_connect(struct stream *stream, struct tls_context *context, const char *server_name,
	enum tls_verify verify, task_time deadline, char **ret_error);

struct tls_info {
	const char *protocol; /* "TLSv1.3" */
	const char *cipher;   /* "TLS_AES_256_GCM_SHA384" */
	int bits_used, bits_possible;
	bool reused;
	bool peer_certificate;
	bool verified; /* chain (and name, where asked) */
	char sni[256]; /* what the client asked for, "" for none */
	char peer_fingerprint[100]; /* SHA-256, "AA:BB:..", "" for none */
	char verify_error[128];
};
bool tls_stream_info(struct stream *stream, struct tls_info *ret_info); /* false when plain */
bool stream_is_tls(struct stream *stream);
/* Is the peer's certificate for this name (RFC 6125)? ".example.com" stands for any name below it;
 * an address is looked for among the certificate's addresses. Says nothing about the chain. */
bool tls_peer_name_is(struct stream *stream, const char *name);

#endif
