/* anvil as a daemon: one task for each channel.
 * SPDX-License-Identifier: ISC */
#ifndef ANVIL_SERVICE_H
#define ANVIL_SERVICE_H

#include "conf/conf.h"
#include "ipc/channel.h"

int service_prepare(struct conf *conf);
void service_serve(struct channel *channel_take, const char *peer);

#endif
