/* Slows password guessing, per client network (IPv4 address, IPv6 /64) and per account. Soft state:
 * losing it is harmless. The same wrong password tried again does not count twice: a device with an
 * old password is no attacker.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_THROTTLE_H
#define TAMBO_AUTH_THROTTLE_H

#include "base/span.h"

/* Milliseconds to wait before a password of this client for this user is looked at: 0, then 1, 2, 4
 * ... at most 15 s for the client, at most 4 s on account of the user alone, so that strangers cannot
 * lock anybody out. */
int64_t throttle_delay(struct span address, struct span user, int64_t now);
/* attempt: anything that is the same for the same password. */
void throttle_failure(struct span address, struct span user, struct span attempt, int64_t now);
void throttle_success(struct span address, struct span user);
/* Forgets everything. */
void throttle_reset(void);

#endif
