/* Dovecot's passwd-file: "user:password:uid:gid:gecos:home:shell:extra", fields may be missing at
 * the end. Empty lines and lines that start with '#' are skipped. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_PASSWDFILE_H
#define TAMBO_MAP_PASSWDFILE_H

#include "map/text.h"

/* key: the user; value: what stands behind the first colon. */
void passwdfile_parse(struct span text, const struct map_text_visitor *visitor);

#endif
