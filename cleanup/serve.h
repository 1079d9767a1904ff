/* The internal peers of cleanup.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_SERVE_H
#define TAMBO_CLEANUP_SERVE_H

#include "ipc/channel.h"

void cleanup_serve(struct channel *channel_take, const char *peer);

#endif
