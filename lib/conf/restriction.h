/* Names of Postfix's access restrictions that this version does not have: the SMTP server answers
 * 451 where one stands, and `tambo check` tells it. SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_RESTRICTION_H
#define TAMBO_CONF_RESTRICTION_H

#include <stdbool.h>

#include "base/span.h"

/* True: Postfix has it and we do not (yet). ret_argument: the word behind it belongs to it. */
bool restriction_is_missing(struct span name, bool *ret_argument);
/* Is parameter a list of restrictions? (smtpd_restriction_classes' own are not known here.) */
bool restriction_is_list(struct span parameter);

#endif
