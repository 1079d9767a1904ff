/* Field tables of the messages between qmgr and the delivery agents.
 * SPDX-License-Identifier: ISC */
#include "service/delivery.h"

#include "service/limits.h"
#include "service/types.h"

static const struct field recipient_fields[] = {
	FIELD(FIELD_U32, delivery_recipient, index, UINT32_MAX),
	FIELD(FIELD_SPAN, delivery_recipient, address, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, delivery_recipient, original, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, delivery_recipient, orcpt, LIMIT_ADDRESS),
	FIELD(FIELD_U32, delivery_recipient, notify, 15),
};
static MESSAGE_TYPE(recipient_type, 0, 1, delivery_recipient, recipient_fields);

static const struct field request_fields[] = {
	FIELD(FIELD_SPAN, delivery_request, queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_SPAN, delivery_request, transport, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, nexthop, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, sender, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, delivery_request, envid, LIMIT_NAME),
	FIELD(FIELD_U32, delivery_request, dsn_return, 2),
	FIELD(FIELD_U32, delivery_request, flags, 0xffff),
	FIELD(FIELD_I64, delivery_request, arrival_ms, 0),
	FIELD(FIELD_I64, delivery_request, active_ms, 0),
	FIELD(FIELD_U64, delivery_request, size, 0),
	FIELD(FIELD_SPAN, delivery_request, client_name, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, client_address, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, client_helo, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, client_protocol, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, sasl_method, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, sasl_username, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_request, content, DELIVERY_INLINE_MAX),
	FIELD(FIELD_FD, delivery_request, content_fd, 0),
	FIELD(FIELD_U64, delivery_request, content_offset, 0),
	FIELD_LIST_OF(delivery_request, recipients, recipient_count, recipient_type,
		DELIVERY_RECIPIENTS_MAX),
};
MESSAGE_TYPE(delivery_request_type, MESSAGE_DELIVERY_REQUEST, 1, delivery_request,
	request_fields);

static const struct field outcome_fields[] = {
	FIELD(FIELD_U32, delivery_outcome, index, UINT32_MAX),
	FIELD(FIELD_U32, delivery_outcome, status, DELIVERY_EXPANDED),
	FIELD(FIELD_SPAN, delivery_outcome, dsn, 16),
	FIELD(FIELD_SPAN, delivery_outcome, text, LIMIT_TEXT),
	FIELD(FIELD_SPAN, delivery_outcome, remote_mta, LIMIT_NAME),
	FIELD(FIELD_SPAN, delivery_outcome, diagnostic, LIMIT_TEXT),
	FIELD(FIELD_U32, delivery_outcome, action_relayed, 1),
	FIELD(FIELD_U64, delivery_outcome, checkpoint, 0),
};
static MESSAGE_TYPE(outcome_type, 0, 1, delivery_outcome, outcome_fields);

static const struct field reply_fields[] = {
	FIELD(FIELD_BOOL, delivery_reply, site_failed, 0),
	FIELD(FIELD_SPAN, delivery_reply, site_text, LIMIT_TEXT),
	FIELD(FIELD_SPAN, delivery_reply, site_dsn, 16),
	FIELD_LIST_OF(delivery_reply, outcomes, outcome_count, outcome_type, LIMIT_OUTCOMES),
};
MESSAGE_TYPE(delivery_reply_type, MESSAGE_DELIVERY_REPLY, 1, delivery_reply, reply_fields);

static const struct field checkpoint_fields[] = {
	FIELD(FIELD_U64, delivery_checkpoint, serial, 0),
};
MESSAGE_TYPE(delivery_checkpoint_type, MESSAGE_DELIVERY_CHECKPOINT, 1, delivery_checkpoint,
	checkpoint_fields);
