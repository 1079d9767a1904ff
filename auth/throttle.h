/* Slows password guessing, per client network (IPv4 address, IPv6 /64) and per account. Soft state:
 * losing it is harmless. The same wrong password tried again does not count twice: a device with an
 * old password is no attacker.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_AUTH_THROTTLE_H
#define TAMBO_AUTH_THROTTLE_H

#include "base/buf.h"

/* first: the wait after some failures, doubled with each further one; max: the longest.
 * Milliseconds (auth_failure_delay, auth_failure_delay_max). Default: 1 s, 15 s. */
void throttle_configure(int64_t first, int64_t max);
/* Milliseconds to wait before a password of this client for this user is looked at: 0, then
 * doubling up to the longest for the client, at most 4 s on account of the user alone, so that
 * strangers cannot lock anybody out. */
int64_t throttle_delay(struct span address, struct span user, int64_t now);
/* attempt: anything that is the same for the same password; empty: not known (SCRAM, CRAM-MD5),
 * then each failure counts. */
void throttle_failure(struct span address, struct span user, struct span attempt, int64_t now);
/* Forgets the failures of the user, and those of the client network; but one who forgets them for a
 * network again and again (a guesser with an account of his own) takes away only his own
 * failures. */
void throttle_success(struct span address, struct span user, int64_t now);
/* The key of a client network: an IPv4 address or an IPv6 /64. */
void throttle_network(struct span address, struct buf *out);
/* Forgets everything. */
void throttle_reset(void);

#endif
