/* The parameters of proxymap.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_PROXYMAP_SETTINGS_H
#define TAMBO_PROXYMAP_SETTINGS_H

#include "conf/conf.h"
#include "proxymap/tables.h"

/* Takes every table of proxy_read_maps into tables: the words "proxy:type:name", and tables of
 * types that no other process asks itself. 0, or -EINVAL (logged). */
int settings_read_tables(struct conf *conf, struct tables *tables);

#endif
