/* See fields.h.
 * SPDX-License-Identifier: ISC */
#include "commands/postconf/fields.h"

const char *const field_names[MASTER_COLUMN_COUNT] = {"service", "type", "private", "unprivileged",
	"chroot", "wakeup", "process_limit", "command"};
