/* DNS by way of libunbound: a thread of its own asks, validates and caches; tasks wait. One
 * resolver per process, opened before the sandbox closes (it reads resolv.conf, hosts and trust
 * anchors then). "There is no such thing" and "could not be asked" are always told apart: the
 * second is DNS_TEMP and becomes a 4xx or a deferral, never "unknown". Names are asked as they are:
 * no search list.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DNS_RESOLVE_H
#define TAMBO_DNS_RESOLVE_H

#include "base/arena.h"
#include "task/task.h"

#define DNS_ANSWERS_MAX 100 /* records of one answer; the rest is ignored */

enum dns_status {
	DNS_FOUND,
	DNS_NODATA,   /* the name exists, not with this type */
	DNS_NXDOMAIN, /* there is no such name */
	DNS_INVALID,  /* not a name that can be asked for, or an answer of nonsense only */
	DNS_TEMP,     /* no answer in time, SERVFAIL, bogus, REFUSED ...: try again later */
};

enum dns_flag {
	DNS_VALIDATE = 1, /* DNSSEC: with the root's trust anchor, as far as one is found */
};

/* servers: "address@port" (port may be missing) separated by white space or commas; "": those of
 * /etc/resolv.conf, and the names of /etc/hosts. 0 or -errno; -EINVAL: a server that cannot be
 * used. */
int dns_open(const char *servers, unsigned flags);
void dns_close(void);

struct dns_answer {
	enum dns_status status;
	bool secure;             /* validated by DNSSEC */
	const char
		*reason; /* a literal for the log: "Host not found", "SERVFAIL" ...; never NULL */
};

struct dns_mx {
	struct span host;        /* lower case, without trailing dot */
	uint16_t preference;
};

struct dns_mx_list {
	struct dns_answer answer;
	bool is_null;            /* "MX 0 ." alone (RFC 7505): accepts no mail; count is 0 */
	struct dns_mx *items;    /* by preference, then as answered */
	size_t count;
};

struct dns_address {
	bool v6;
	uint8_t bytes[16];       /* 4 or 16 in network order */
	char text[46];           /* "192.0.2.1", "2001:db8::1" */
};

struct dns_address_list {
	struct dns_answer answer; /* of several families: FOUND, or the least final of the failures */
	struct dns_address *items;
	size_t count;
};

struct dns_name_list {
	struct dns_answer answer;
	struct span *items;      /* host names, or TXT values */
	size_t count;
};

enum dns_family { DNS_IPV4 = 1, DNS_IPV6 = 2 };

/* All wait in a task until the deadline; results live in the arena. A cancelled task gets DNS_TEMP.
 * */
void dns_mx(struct span domain, task_time deadline, struct arena *arena,
	struct dns_mx_list *ret_list);
/* families: enum dns_family; an address literal ("192.0.2.1") answers itself without being asked.
 * */
void dns_addresses(struct span name, unsigned families, task_time deadline, struct arena *arena,
	struct dns_address_list *ret_list);
/* address: "192.0.2.1" or "2001:db8::1". */
void dns_ptr(struct span address, task_time deadline, struct arena *arena,
	struct dns_name_list *ret_list);
void dns_txt(struct span name, task_time deadline, struct arena *arena,
	struct dns_name_list *ret_list);

/* The name of a client: PTR whose forward look-up answers the address again. *ret_reverse gets the
 * first PTR name even when it is not confirmed ("" when there is none), *ret_name only a confirmed
 * one. The result is FOUND only for a confirmed name. */
enum dns_status dns_client_name(struct span address, task_time deadline, struct arena *arena,
	struct span *ret_name, struct span *ret_reverse);

#endif
