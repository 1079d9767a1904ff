/* Resource data in wire form (RFC 1035 section 3.3), as libunbound hands it out: names are not
 * compressed. Every length is checked against the end; what does not fit exactly is refused. Pure.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DNS_RDATA_H
#define TAMBO_DNS_RDATA_H

#include "base/buf.h"

#define DNS_NAME_MAX 255

/* The name that is the whole rdata (PTR, CNAME); appended without the trailing dot, "" for the
 * root. False (nothing appended) when it is malformed or has bytes that no host name has. */
bool dns_rdata_name(struct span rdata, struct buf *out);
/* Preference and exchange of an MX. */
bool dns_rdata_mx(struct span rdata, uint16_t *ret_preference, struct buf *out);
/* The strings of a TXT, joined. */
bool dns_rdata_txt(struct span rdata, struct buf *out);

#endif
