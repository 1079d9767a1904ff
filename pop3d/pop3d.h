/* What the files of pop3d share.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_POP3D_POP3D_H
#define TAMBO_POP3D_POP3D_H

#include "daemon/daemon.h"
#include "daemon/server_tls.h"
#include "service/auth_client.h"

struct pop3d_settings {
	const char *banner;
	int64_t timeout;      /* before the login, and of writes; milliseconds */
	int64_t idle_timeout; /* behind it */
	int64_t connection_limit;
	bool lock_mailbox;
	struct server_tls tls;
	struct auth_client *auth; /* front only */
};

int pop3d_prepare(struct conf *conf);
void pop3d_start(void);
const struct pop3d_settings *pop3d_settings(void);

/* Lines of CAPA that do not depend on the state, each with CRLF. */
extern const char pop3d_capabilities[];

/* daemon_spec.session and .serve */
void pop3d_front(int fd_take, const struct address *peer);
void pop3d_worker(struct channel *channel_take, const char *peer);

#endif
