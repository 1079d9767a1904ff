/* What the files of lib/dns share: one question to libunbound.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_DNS_PRIVATE_H
#define TAMBO_DNS_PRIVATE_H

#include "dns/resolve.h"

struct ub_result;

#define DNS_TYPE_A 1
#define DNS_TYPE_PTR 12
#define DNS_TYPE_MX 15
#define DNS_TYPE_TXT 16
#define DNS_TYPE_AAAA 28

/* Asks and waits. *ret_result is NULL unless the status is DNS_FOUND; free it with ub_resolve_free.
 * */
struct dns_answer dns_ask(const char *name, int type, task_time deadline,
	struct ub_result **ret_result);

#endif
