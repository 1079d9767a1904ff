/* One task for each asker's channel.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_PROXYMAP_SERVICE_H
#define TAMBO_PROXYMAP_SERVICE_H

#include "conf/conf.h"
#include "ipc/channel.h"

int service_prepare(struct conf *conf);
void service_serve(struct channel *channel_take, const char *peer);
void service_stop(void);

#endif
