/* Networks and addresses as text: "10.0.0.0/8", "[2001:db8::]/32", "192.0.2.1". Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAP_NETWORK_H
#define TAMBO_MAP_NETWORK_H

#include "base/span.h"

struct network {
	uint8_t bytes[16];
	uint8_t bits; /* of the prefix */
	uint8_t size; /* 4 or 16 */
};

/* An address alone has all its bits. IPv6 may stand within []. NULL, or what is wrong (static
 * text): bits beyond the prefix must be zero, or the entry does not mean what it says. */
const char *network_parse(struct span text, struct network *ret_network);
/* An address: true when text is one. */
bool network_parse_address(struct span text, struct network *ret_address);
bool network_contains(const struct network *network, const struct network *address);

#endif
