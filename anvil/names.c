/* See names.h. What cannot be asked now is TEMPORARY, never "not found". RFC 5321 section 5.1,
 * RFC 7505.
 * SPDX-License-Identifier: ISC */
#include "anvil/names.h"

#include "base/log.h"
#include "dns/resolve.h"
#include "mail/address.h"

#define ASK_TIMEOUT 15000

static bool is_temporary(const struct dns_answer *answer)
{
	return answer->status == DNS_TEMP;
}

static enum lookup_status peer(struct span address, struct arena *arena, struct span *ret_name)
{
	struct span name = SPAN_EMPTY, reverse = SPAN_EMPTY;
	enum dns_status status =
		dns_client_name(address, task_deadline(ASK_TIMEOUT), arena, &name, &reverse);

	*ret_name = reverse;
	if (status == DNS_FOUND) {
		*ret_name = name;
		return LOOKUP_FOUND;
	}
	if (reverse.len > 0)
		return status == DNS_TEMP ? LOOKUP_FORWARD_TEMPORARY : LOOKUP_MISMATCH;
	return status == DNS_TEMP ? LOOKUP_TEMPORARY : LOOKUP_NOT_FOUND;
}

static enum lookup_status host(struct span name, task_time deadline, struct arena *arena)
{
	struct dns_address_list addresses;

	dns_addresses(name, DNS_IPV4 | DNS_IPV6, deadline, arena, &addresses);
	if (addresses.answer.status == DNS_FOUND)
		return LOOKUP_FOUND;
	return is_temporary(&addresses.answer) ? LOOKUP_TEMPORARY : LOOKUP_NOT_FOUND;
}

/* An MX record is enough; without one the host's address is. */
static enum lookup_status mail_or_host(struct span name, bool mail, struct arena *arena)
{
	task_time deadline = task_deadline(ASK_TIMEOUT);
	struct dns_mx_list list;

	dns_mx(name, deadline, arena, &list);
	if (list.is_null)
		return mail ? LOOKUP_NULL_MX : LOOKUP_FOUND;
	if (list.answer.status == DNS_FOUND)
		return LOOKUP_FOUND;
	if (list.answer.status == DNS_NXDOMAIN || list.answer.status == DNS_INVALID)
		return LOOKUP_NOT_FOUND;
	enum lookup_status status = host(name, deadline, arena);
	return status != LOOKUP_FOUND && is_temporary(&list.answer) ? LOOKUP_TEMPORARY : status;
}

void names_answer(const struct lookup_question *question, struct arena *arena,
	struct lookup_answer *ret_answer)
{
	struct buf ascii = BUF_INIT(1000);

	ret_answer->name = SPAN_EMPTY;
	switch ((enum lookup_kind)question->kind) {
	case LOOKUP_PEER:
		ret_answer->status = peer(question->name, arena, &ret_answer->name);
		break;
	case LOOKUP_MAIL:
	case LOOKUP_HOST:
		ret_answer->status = mail_domain_to_ascii(question->name, &ascii) ?
			mail_or_host(buf_span(&ascii), question->kind == LOOKUP_MAIL, arena) :
			LOOKUP_NOT_FOUND;
		break;
	}
	buf_done(&ascii);
}
