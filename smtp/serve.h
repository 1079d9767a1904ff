/* Requests of qmgr, one after the other on a channel.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_SERVE_H
#define TAMBO_SMTP_SERVE_H

#include "ipc/channel.h"

void serve(struct channel *channel_take, const char *peer);

#endif
