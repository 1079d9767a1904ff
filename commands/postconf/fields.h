/* The names that -F has for the columns of master.cf.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_POSTCONF_FIELDS_H
#define TAMBO_COMMANDS_POSTCONF_FIELDS_H

#include "conf/master_cf.h"

extern const char *const field_names[MASTER_COLUMN_COUNT];

#endif
