/* How TLS is to be used towards a next hop: smtp_tls_security_level or smtp_tls_policy_maps.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_TLS_POLICY_H
#define TAMBO_SMTP_TLS_POLICY_H

#include "base/arena.h"
#include "smtp/next_hop.h"
#include "smtp/problem.h"

enum tls_level {
	TLS_LEVEL_NONE,
	TLS_LEVEL_MAY,
	TLS_LEVEL_ENCRYPT,
	TLS_LEVEL_FINGERPRINT,
	TLS_LEVEL_VERIFY, /* chain, and the name by smtp_tls_verify_cert_match */
	TLS_LEVEL_SECURE, /* chain, and the name by smtp_tls_secure_cert_match */
};

struct tls_policy {
	enum tls_level level;
	const char *match;      /* names or fingerprints, separated by ", :" */
	const char *servername; /* SNI: "", a name, "hostname" or "nexthop" */
};

/* False and problem (4.3.0 or 4.7.5) when the table cannot be asked or says nonsense. Texts live in
 * the arena or in the settings. */
bool tls_policy_find(const struct next_hop *hop, struct arena *arena, struct tls_policy *ret_policy,
	struct problem *problem);
/* What the table says: "level name=value ..."; policy->servername stays where it names none. False
 * and problem when that is nonsense. */
bool tls_policy_parse(struct span value, struct arena *arena, struct tls_policy *policy,
	struct problem *problem);
/* Pure: a level's name; false when it is none that is known. */
bool tls_level_parse(struct span name, enum tls_level *ret_level);

#endif
