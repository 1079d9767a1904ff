/* Address-keyed table lookups: the keys of virtual(5), canonical(5), local_recipient_maps and
 * sender-dependent tables in their order, each asked of every table of a list before the next key.
 * Pattern tables (regexp, pcre ...) see the whole address only.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_ROUTE_ADDRESS_LOOKUP_H
#define TAMBO_ROUTE_ADDRESS_LOOKUP_H

#include "map/map.h"

enum address_key {
	ADDRESS_KEY_FULL = 1,      /* user+ext@domain */
	ADDRESS_KEY_BARE = 2,      /* user@domain */
	ADDRESS_KEY_LOCAL = 4,     /* user+ext, user: only when the caller says the domain is local */
	ADDRESS_KEY_AT_DOMAIN = 8, /* @domain */
	ADDRESS_KEY_DOMAIN = 16,   /* domain */
};
/* What virtual_alias_maps, canonical_maps, *_recipient_maps and virtual_mailbox_maps are asked. */
#define ADDRESS_KEYS_DEFAULT                                                                       \
	(ADDRESS_KEY_FULL | ADDRESS_KEY_BARE | ADDRESS_KEY_LOCAL | ADDRESS_KEY_AT_DOMAIN)

/* Where the extension of a local part begins: the offset of the first byte that delimiters holds,
 * or SIZE_MAX. Not at its first byte; owner-x and x-request are not split at '-', and the special
 * names mailer-daemon, double-bounce and postmaster never. */
size_t address_extension_start(struct span local_part, struct span delimiters);

/* address: local@domain (no quotes) or a bare local part. domain_is_local: allows the keys without
 * a domain. On MAP_FOUND the value is appended to ret_value, and *ret_extension (may be NULL) is
 * the part of address with its delimiter ("+ext") that the matching key left out, else empty. */
struct address_lookup {
	struct map_list *maps;
	unsigned keys;             /* enum address_key */
	struct span delimiters;    /* recipient_delimiter */
	bool domain_is_local;
};
enum map_result address_lookup(const struct address_lookup *lookup, struct span address,
	struct buf *ret_value, struct span *ret_extension);

/* One address of a lookup's result as the address that it stands for: "@other" keeps the user (with
 * its extension) of address; a result without a domain gets "@" origin; extension (may be empty) is
 * inserted before the '@' unless the result is "@other". Appended to out. */
void address_lookup_result(struct span result, struct span address, struct span extension,
	struct span origin, struct buf *out);

#endif
