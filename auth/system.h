/* Passwords of system accounts: /etc/shadow where it can be read, otherwise PAM.
 * Blocking: called in the thread pool.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_SYSTEM_H
#define TAMBO_AUTH_SYSTEM_H

#include "base/span.h"

enum system_result { SYSTEM_MATCHES, SYSTEM_WRONG, SYSTEM_REFUSED, SYSTEM_UNAVAILABLE };

/* Name of the PAM service (auth_pam_service_name); kept, not copied. Default "tambo". */
void system_use_service(const char *name);
enum system_result system_verify(struct span user, struct span password);

#endif
