/* smtpd as a daemon: its server, and the other daemons through lib/daemon.
 * SPDX-License-Identifier: ISC */
#ifndef SMTPD_SERVICE_H
#define SMTPD_SERVICE_H

#include "conf/conf.h"
#include "net/socket.h"

int service_prepare(struct conf *conf);
void service_session(int fd_take, const struct address *peer);
void service_stop(void);

#endif
