/* Limits that several message tables share: how long an address, a reply text, a name may be.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_LIMITS_H
#define TAMBO_SERVICE_LIMITS_H

enum service_limit {
	LIMIT_ADDRESS = 2048,     /* an address in internal form; SMTP allows 256 + 64 */
	LIMIT_NAME = 1024,        /* a host, service, user or protocol name */
	LIMIT_TEXT = 4096,        /* human text, a remote reply */
	LIMIT_QUEUE_ID = 64,
	LIMIT_RECIPIENTS = 1000,  /* recipients in one message */
	LIMIT_OUTCOMES = 1000,
	LIMIT_LISTED = 500,       /* recipients in one queue_item */
};

#endif
