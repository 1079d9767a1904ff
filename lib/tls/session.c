/* TLS on a stream: handshakes, reading and writing, what was agreed. The SSL object reads and
 * writes the socket itself; the stream waits.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/memory.h"
#include "tls/tls_private.h"

struct session {
	SSL *ssl;
	bool asked_verify;
};

/* -EAGAIN with *ret_wait, 0 at the end, or -EPROTO / -ECONNRESET. */
static ssize_t result_of(SSL *ssl, int count, enum task_io *ret_wait)
{
	int saved = errno;
	switch (SSL_get_error(ssl, count)) {
	case SSL_ERROR_WANT_READ:
		*ret_wait = TASK_READ;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*ret_wait = TASK_WRITE;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return saved == 0 ? 0 : saved == EAGAIN ? -ECONNRESET : -saved;
	default:
		return -EPROTO;
	}
}

static ssize_t tls_read(void *context, int fd, void *bytes, size_t len, enum task_io *ret_wait)
{
	struct session *session = context;
	(void)fd;
	ERR_clear_error();
	errno = 0;
	int count = SSL_read(session->ssl, bytes, len > 1 << 20 ? 1 << 20 : (int)len);
	if (count > 0)
		return count;
	ssize_t result = result_of(session->ssl, count, ret_wait);
	ERR_clear_error();
	return result;
}

static ssize_t tls_write(void *context, int fd, const void *bytes, size_t len,
	enum task_io *ret_wait)
{
	struct session *session = context;
	(void)fd;
	ERR_clear_error();
	errno = 0;
	int count = SSL_write(session->ssl, bytes, len > 1 << 20 ? 1 << 20 : (int)len);
	if (count > 0)
		return count;
	ssize_t result = result_of(session->ssl, count, ret_wait);
	ERR_clear_error();
	return result == 0 ? -EPIPE : result;
}

static void tls_shutdown(void *context, int fd)
{
	struct session *session = context;
	(void)fd;
	SSL_shutdown(session->ssl);
	ERR_clear_error();
}

static void tls_free(void *context)
{
	struct session *session = context;
	SSL_free(session->ssl);
	free(session);
}

static const struct stream_transport tls_transport = {
	.read = tls_read, .write = tls_write, .shutdown = tls_shutdown, .free = tls_free};

static int handshake(struct stream *stream, SSL *ssl, task_time deadline, char **ret_error)
{
	for (;;) {
		enum task_io io = TASK_READ;
		ERR_clear_error();
		errno = 0;
		int done = SSL_do_handshake(ssl);
		if (done == 1)
			return 0;
		ssize_t result = result_of(ssl, done, &io);
		if (result == 0)
			return -EPIPE;
		if (result == -EPROTO) {
			*ret_error = tls_error_text("TLS handshake failed");
			return -EPROTO;
		}
		if (result != -EAGAIN)
			return (int)result;
		int status = task_wait_fd(stream_fd(stream), io, deadline);
		if (status != 0)
			return status;
	}
}

static int start(
	struct stream *stream, struct tls_context *context, SSL **ret_ssl, char **ret_error)
{
	CHECK(!stream_is_tls(stream));
	*ret_error = NULL;
	/* Nothing that came before the handshake survives it. */
	stream_drop_input(stream);
	SSL *ssl = SSL_new(context->ssl);
	if (ssl == NULL || SSL_set_fd(ssl, stream_fd(stream)) != 1) {
		*ret_error = tls_error_text("cannot start TLS");
		SSL_free(ssl);
		return -EPROTO;
	}
	*ret_ssl = ssl;
	return 0;
}

static int finish(struct stream *stream, SSL *ssl, bool asked_verify, task_time deadline,
	char **ret_error)
{
	int status = handshake(stream, ssl, deadline, ret_error);
	if (status != 0) {
		ERR_clear_error();
		SSL_free(ssl);
		return status;
	}
	struct session *session = NEW(struct session);
	session->ssl = ssl;
	session->asked_verify = asked_verify;
	stream_set_transport(stream, &tls_transport, session);
	return 0;
}

int tls_accept(struct stream *stream, struct tls_context *context, task_time deadline,
	char **ret_error)
{
	SSL *ssl;
	int status = start(stream, context, &ssl, ret_error);
	if (status != 0)
		return status;
	SSL_set_accept_state(ssl);
	return finish(stream, ssl, true, deadline, ret_error);
}

/* The handshake goes on whatever the certificate; SSL_get_verify_result keeps the first error. */
static int note_verification(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

int tls_connect(struct stream *stream, struct tls_context *context, const char *server_name,
	enum tls_verify verify, task_time deadline, char **ret_error)
{
	SSL *ssl;
	int status = start(stream, context, &ssl, ret_error);
	if (status != 0)
		return status;
	SSL_set_connect_state(ssl);
	SSL_set_verify(ssl, SSL_VERIFY_PEER, note_verification);
	if (server_name != NULL && server_name[0] != '\0')
		SSL_set_tlsext_host_name(ssl, (void *)(uintptr_t)server_name); /* the macro drops const */
	if (verify == TLS_VERIFY_CHAIN_AND_NAME) {
		SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		SSL_set1_host(ssl, server_name);
	}
	return finish(stream, ssl, verify != TLS_VERIFY_NONE, deadline, ret_error);
}

/* --- what was agreed --- */

static struct session *session_of(struct stream *stream)
{
	return stream_transport_context(stream);
}

bool stream_is_tls(struct stream *stream)
{
	return session_of(stream) != NULL;
}

static void fingerprint(X509 *certificate, char *out, size_t size)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	out[0] = '\0';
	if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1)
		return;
	for (unsigned i = 0; i < len && (i + 1) * 3 <= size; i++)
		snprintf(out + (size_t)i * 3, size - (size_t)i * 3, i + 1 < len ? "%02X:" : "%02X",
			digest[i]);
}

bool tls_stream_info(struct stream *stream, struct tls_info *ret_info)
{
	struct session *session = session_of(stream);
	if (session == NULL)
		return false;
	SSL *ssl = session->ssl;
	struct tls_info info = {.protocol = SSL_get_version(ssl), .cipher = SSL_get_cipher_name(ssl),
		.reused = SSL_session_reused(ssl) == 1};
	info.bits_used = SSL_get_cipher_bits(ssl, &info.bits_possible);
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	if (sni != NULL)
		snprintf(info.sni, sizeof info.sni, "%s", sni);
	X509 *peer = SSL_get1_peer_certificate(ssl);
	long verify = SSL_get_verify_result(ssl);
	info.peer_certificate = peer != NULL;
	info.verified = session->asked_verify && peer != NULL && verify == X509_V_OK;
	if (peer != NULL) {
		fingerprint(peer, info.peer_fingerprint, sizeof info.peer_fingerprint);
		X509_free(peer);
	}
	if (verify != X509_V_OK)
		snprintf(info.verify_error, sizeof info.verify_error, "%s",
			X509_verify_cert_error_string(verify));
	*ret_info = info;
	return true;
}

bool tls_peer_name_is(struct stream *stream, const char *name)
{
	struct session *session = session_of(stream);
	X509 *peer = session == NULL ? NULL : SSL_get1_peer_certificate(session->ssl);
	if (peer == NULL)
		return false;
	bool match = X509_check_host(peer, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1 ||
		X509_check_ip_asc(peer, name, 0) == 1;
	X509_free(peer);
	return match;
}
