/* Field tables of the messages to and from qmgr.
 * SPDX-License-Identifier: ISC */
#include "service/qmgr.h"

#include "service/limits.h"
#include "service/types.h"

static const struct field added_fields[] = {
	FIELD(FIELD_SPAN, queue_added, queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_U64, queue_added, segment, 0),
	FIELD(FIELD_U64, queue_added, offset, 0),
	FIELD(FIELD_U64, queue_added, length, 0),
};
MESSAGE_TYPE(queue_added_type, MESSAGE_QUEUE_ADDED, 1, queue_added, added_fields);

static const struct field released_fields[] = {
	FIELD(FIELD_U64, queue_released, segment, 0),
	FIELD(FIELD_U64, queue_released, dead_bytes, 0),
	FIELD(FIELD_BOOL, queue_released, all_dead, 0),
};
MESSAGE_TYPE(queue_released_type, MESSAGE_QUEUE_RELEASED, 1, queue_released, released_fields);

static const struct field place_fields[] = {
	FIELD(FIELD_U64, queue_position, segment, 0),
	FIELD(FIELD_U64, queue_position, offset, 0),
	FIELD(FIELD_U64, queue_position, length, 0),
};
static MESSAGE_TYPE(place_type, 0, 1, queue_position, place_fields);

static const struct field compact_fields[] = {
	FIELD_LIST_OF(queue_compact, places, place_count, place_type, QUEUE_COMPACT_MAX),
};
MESSAGE_TYPE(queue_compact_type, MESSAGE_QUEUE_COMPACT, 1, queue_compact, compact_fields);

static const struct field compacted_fields[] = {
	FIELD(FIELD_U32, queue_compacted, status, 4096),
	FIELD_LIST_OF(queue_compacted, places, place_count, place_type, QUEUE_COMPACT_MAX),
};
MESSAGE_TYPE(queue_compacted_type, MESSAGE_QUEUE_COMPACTED, 1, queue_compacted, compacted_fields);

static const struct field list_fields[] = {
	FIELD(FIELD_SPAN, queue_list, queue_id, LIMIT_QUEUE_ID),
};
MESSAGE_TYPE(queue_list_type, MESSAGE_QUEUE_LIST, 1, queue_list, list_fields);

static const struct field item_recipient_fields[] = {
	FIELD(FIELD_SPAN, queue_item_recipient, address, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, queue_item_recipient, original, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, queue_item_recipient, reason, LIMIT_TEXT),
};
static MESSAGE_TYPE(item_recipient_type, 0, 1, queue_item_recipient, item_recipient_fields);

static const struct field item_fields[] = {
	FIELD(FIELD_SPAN, queue_item, queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_SPAN, queue_item, queue_name, 16),
	FIELD(FIELD_SPAN, queue_item, sender, LIMIT_ADDRESS),
	FIELD(FIELD_I64, queue_item, arrival_ms, 0),
	FIELD(FIELD_U64, queue_item, size, 0),
	FIELD(FIELD_BOOL, queue_item, forced_expire, 0),
	FIELD_LIST_OF(queue_item, recipients, recipient_count, item_recipient_type, LIMIT_LISTED),
	FIELD(FIELD_BOOL, queue_item, more, 0),
};
MESSAGE_TYPE(queue_item_type, MESSAGE_QUEUE_ITEM, 1, queue_item, item_fields);

static const struct field command_fields[] = {
	FIELD(FIELD_U32, queue_command, action, QUEUE_EXPIRE),
	FIELD(FIELD_SPAN, queue_command, argument, LIMIT_NAME),
	FIELD(FIELD_SPAN, queue_command, queues, LIMIT_NAME),
};
MESSAGE_TYPE(queue_command_type, MESSAGE_QUEUE_COMMAND, 1, queue_command, command_fields);

static const struct field result_fields[] = {
	FIELD(FIELD_U32, queue_result, status, 4096),
	FIELD(FIELD_U64, queue_result, count, 0),
	FIELD(FIELD_SPAN, queue_result, text, LIMIT_TEXT),
};
MESSAGE_TYPE(queue_result_type, MESSAGE_QUEUE_RESULT, 1, queue_result, result_fields);

static const struct field bounce_recipient_fields[] = {
	FIELD(FIELD_SPAN, bounce_recipient, address, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, bounce_recipient, original, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, bounce_recipient, orcpt, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, bounce_recipient, dsn, 16),
	FIELD(FIELD_SPAN, bounce_recipient, text, LIMIT_TEXT),
	FIELD(FIELD_SPAN, bounce_recipient, remote_mta, LIMIT_NAME),
	FIELD(FIELD_SPAN, bounce_recipient, diagnostic, LIMIT_TEXT),
	FIELD(FIELD_U32, bounce_recipient, status, 8),
	FIELD(FIELD_BOOL, bounce_recipient, relayed, 0),
};
static MESSAGE_TYPE(bounce_recipient_type, 0, 1, bounce_recipient, bounce_recipient_fields);

static const struct field bounce_fields[] = {
	FIELD(FIELD_U32, bounce_request, kind, BOUNCE_POSTMASTER),
	FIELD(FIELD_SPAN, bounce_request, queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_U64, bounce_request, segment, 0),
	FIELD(FIELD_U64, bounce_request, offset, 0),
	FIELD(FIELD_U64, bounce_request, length, 0),
	FIELD(FIELD_SPAN, bounce_request, sender, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, bounce_request, envid, LIMIT_NAME),
	FIELD(FIELD_U32, bounce_request, dsn_return, 2),
	FIELD(FIELD_I64, bounce_request, arrival_ms, 0),
	FIELD(FIELD_I64, bounce_request, will_retry_until_ms, 0),
	FIELD_LIST_OF(bounce_request, recipients, recipient_count, bounce_recipient_type,
		LIMIT_RECIPIENTS),
};
MESSAGE_TYPE(bounce_request_type, MESSAGE_BOUNCE_REQUEST, 1, bounce_request, bounce_fields);
