/* See network.h.
 * SPDX-License-Identifier: ISC */
#include "map/network.h"

#include <arpa/inet.h>

static struct span strip_brackets(struct span text)
{
	if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']')
		return span_part(text, 1, text.len - 2);
	return text;
}

bool network_parse_address(struct span text, struct network *ret_address)
{
	char copy[INET6_ADDRSTRLEN + 1];
	struct network address = {{0}, 0, 0};

	text = strip_brackets(text);
	if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, address.bytes) == 1)
		address.size = 4;
	else if (inet_pton(AF_INET6, copy, address.bytes) == 1)
		address.size = 16;
	else
		return false;
	address.bits = (uint8_t)(address.size * 8);
	*ret_address = address;
	return true;
}

const char *network_parse(struct span text, struct network *ret_network)
{
	size_t slash = span_find_last_char(text, '/');
	struct network network;
	uint64_t bits;

	/* "[address/bits]" is seen too. */
	if (slash != SIZE_MAX && text.len > 0 && text.ptr[text.len - 1] == ']') {
		text = strip_brackets(text);
		slash = span_find_last_char(text, '/');
	}
	if (!network_parse_address(span_head(text, slash == SIZE_MAX ? text.len : slash), &network))
		return "not an address or network";
	if (slash != SIZE_MAX) {
		if (!span_to_u64(span_skip(text, slash + 1), network.bits, &bits))
			return "bad prefix length";
		network.bits = (uint8_t)bits;
	}
	for (unsigned i = network.bits; i < network.size * 8u; i++) {
		if ((network.bytes[i / 8] & (0x80 >> i % 8)) != 0)
			return "non-null host address bits";
	}
	*ret_network = network;
	return NULL;
}

bool network_contains(const struct network *network, const struct network *address)
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (network->size != address->size)
		return false;
	if (memcmp(network->bytes, address->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       ((network->bytes[whole] ^ address->bytes[whole]) & (uint8_t)(0xff00 >> rest)) == 0;
}
