/* Field tables of the messages to and from cleanup.
 * SPDX-License-Identifier: ISC */
#include "service/cleanup.h"

#include "service/limits.h"
#include "service/types.h"

static const struct field recipient_fields[] = {
	FIELD(FIELD_SPAN, cleanup_recipient, address, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, cleanup_recipient, orcpt, LIMIT_ADDRESS),
	FIELD(FIELD_U32, cleanup_recipient, notify, 15),
};
static MESSAGE_TYPE(recipient_type, 0, 1, cleanup_recipient, recipient_fields);

static const struct field open_fields[] = {
	FIELD(FIELD_U32, cleanup_open, origin, CLEANUP_FROM_BOUNCE),
	FIELD(FIELD_U32, cleanup_open, flags, 0xffff),
	FIELD(FIELD_SPAN, cleanup_open, sender, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, cleanup_open, envid, LIMIT_NAME),
	FIELD(FIELD_U32, cleanup_open, dsn_return, DSN_RETURN_HEADERS),
	FIELD(FIELD_U64, cleanup_open, size_hint, 0),
	FIELD(FIELD_SPAN, cleanup_open, client_name, LIMIT_NAME),
	FIELD(FIELD_SPAN, cleanup_open, client_address, LIMIT_NAME),
	FIELD(FIELD_SPAN, cleanup_open, client_port, LIMIT_NAME),
	FIELD(FIELD_SPAN, cleanup_open, helo, LIMIT_NAME),
	FIELD(FIELD_SPAN, cleanup_open, protocol, LIMIT_NAME),
	FIELD(FIELD_SPAN, cleanup_open, sasl_method, LIMIT_NAME),
	FIELD(FIELD_SPAN, cleanup_open, sasl_username, LIMIT_NAME),
	FIELD(FIELD_SPAN, cleanup_open, sasl_sender, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, cleanup_open, tls_summary, LIMIT_TEXT),
	FIELD(FIELD_SPAN, cleanup_open, received_for, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, cleanup_open, original_queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_U32, cleanup_open, hop_count, 0xffff),
	FIELD_LIST_OF(cleanup_open, recipients, recipient_count, recipient_type, LIMIT_RECIPIENTS),
};
MESSAGE_TYPE(cleanup_open_type, MESSAGE_CLEANUP_OPEN, 1, cleanup_open, open_fields);

static const struct field ready_fields[] = {
	FIELD(FIELD_U32, cleanup_ready, status, CLEANUP_NO_RECIPIENT),
	FIELD(FIELD_SPAN, cleanup_ready, queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_I64, cleanup_ready, since_ms, 0),
};
MESSAGE_TYPE(cleanup_ready_type, MESSAGE_CLEANUP_READY, 1, cleanup_ready, ready_fields);

static const struct field recipients_fields[] = {
	FIELD_LIST_OF(cleanup_recipients, recipients, recipient_count, recipient_type,
		LIMIT_RECIPIENTS),
};
MESSAGE_TYPE(cleanup_recipients_type, MESSAGE_CLEANUP_RECIPIENTS, 1, cleanup_recipients,
	recipients_fields);

static const struct field chunk_fields[] = {
	FIELD(FIELD_SPAN, cleanup_chunk, bytes, CLEANUP_CHUNK_MAX),
};
MESSAGE_TYPE(cleanup_chunk_type, MESSAGE_CLEANUP_CHUNK, 1, cleanup_chunk, chunk_fields);

static const struct field end_fields[] = {
	FIELD(FIELD_BOOL, cleanup_end, discard, 0),
};
MESSAGE_TYPE(cleanup_end_type, MESSAGE_CLEANUP_END, 1, cleanup_end, end_fields);

static const struct field result_fields[] = {
	FIELD(FIELD_U32, cleanup_result, status, CLEANUP_NO_RECIPIENT),
	FIELD(FIELD_SPAN, cleanup_result, queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_SPAN, cleanup_result, code, 16),
	FIELD(FIELD_SPAN, cleanup_result, text, LIMIT_TEXT),
	FIELD(FIELD_U64, cleanup_result, size, 0),
};
MESSAGE_TYPE(cleanup_result_type, MESSAGE_CLEANUP_RESULT, 1, cleanup_result, result_fields);

struct cleanup_open cleanup_open_from(enum cleanup_origin origin)
{
	return (struct cleanup_open){
		.origin = origin,
		.sender = SPAN_EMPTY,
		.envid = SPAN_EMPTY,
		.client_name = SPAN_EMPTY,
		.client_address = SPAN_EMPTY,
		.client_port = SPAN_EMPTY,
		.helo = SPAN_EMPTY,
		.protocol = SPAN_EMPTY,
		.sasl_method = SPAN_EMPTY,
		.sasl_username = SPAN_EMPTY,
		.sasl_sender = SPAN_EMPTY,
		.tls_summary = SPAN_EMPTY,
		.received_for = SPAN_EMPTY,
		.original_queue_id = SPAN_EMPTY,
	};
}
