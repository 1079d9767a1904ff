/* Asking another process, for the types of this layer.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_PROXY_H
#define TAMBO_MAP_PROXY_H

#include "map/map.h"

bool map_has_proxy(void);
/* The same table there. MAP_ERROR without somebody to ask. */
enum map_result map_ask_proxy(const struct map *map, struct span key, struct buf *ret_value);

#endif
