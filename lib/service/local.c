/* Field tables of the messages between the front of `local` and its workers; see local.h.
 * SPDX-License-Identifier: ISC */
#include "service/local.h"

#include "service/delivery.h"
#include "service/limits.h"
#include "service/types.h"

static const struct field path_fields[] = {
	FIELD(FIELD_SPAN, local_path, path, LIMIT_TEXT),
};
static MESSAGE_TYPE(path_type, 0, 1, local_path, path_fields);

static const struct field variable_fields[] = {
	FIELD(FIELD_SPAN, local_variable, name, LIMIT_NAME),
	FIELD(FIELD_SPAN, local_variable, value, LIMIT_TEXT),
};
static MESSAGE_TYPE(variable_type, 0, 1, local_variable, variable_fields);

static const struct field work_fields[] = {
	FIELD(FIELD_U32, local_work, kind, LOCAL_WORK_COMMAND),
	FIELD(FIELD_SPAN, local_work, queue_id, LIMIT_QUEUE_ID),
	FIELD(FIELD_SPAN, local_work, sender, LIMIT_ADDRESS),
	FIELD(FIELD_SPAN, local_work, headers, LOCAL_HEADERS_MAX),
	FIELD(FIELD_SPAN, local_work, path, LIMIT_TEXT),
	FIELD(FIELD_BOOL, local_work, maildir, 0),
	FIELD(FIELD_SPAN, local_work, base, 255),
	FIELD(FIELD_I64, local_work, first_ms, 0),
	FIELD(FIELD_BOOL, local_work, flush_file, 0),
	FIELD(FIELD_U64, local_work, size_limit, 0),
	FIELD(FIELD_SPAN, local_work, home, LIMIT_TEXT),
	FIELD(FIELD_BOOL, local_work, require_home, 0),
	FIELD(FIELD_BOOL, local_work, must_own, 0),
	FIELD_LIST_OF(local_work, forward_paths, forward_path_count, path_type, LOCAL_PATHS_MAX),
	FIELD(FIELD_U32, local_work, locks, 7),
	FIELD(FIELD_U32, local_work, lock_attempts, INT32_MAX),
	FIELD(FIELD_I64, local_work, lock_delay_ms, 0),
	FIELD(FIELD_I64, local_work, stale_lock_ms, 0),
	FIELD(FIELD_SPAN, local_work, command, LIMIT_TEXT * 4),
	FIELD(FIELD_SPAN, local_work, shell, LIMIT_TEXT),
	FIELD(FIELD_SPAN, local_work, directory, LIMIT_TEXT),
	FIELD(FIELD_I64, local_work, time_limit_ms, 0),
	FIELD_LIST_OF(local_work, variables, variable_count, variable_type, LOCAL_VARIABLES_MAX),
	FIELD(FIELD_SPAN, local_work, content, DELIVERY_INLINE_MAX),
	FIELD(FIELD_FD, local_work, content_fd, 0),
	FIELD(FIELD_U64, local_work, content_offset, 0),
	FIELD(FIELD_U64, local_work, size, 0),
};
MESSAGE_TYPE(local_work_type, MESSAGE_LOCAL_WORK, 2, local_work, work_fields);

static const struct field done_fields[] = {
	FIELD(FIELD_U32, local_done, result, LOCAL_BOUNCED),
	FIELD(FIELD_SPAN, local_done, dsn, 16),
	FIELD(FIELD_SPAN, local_done, text, LIMIT_TEXT),
	FIELD(FIELD_SPAN, local_done, content, LOCAL_READ_MAX),
	FIELD(FIELD_BOOL, local_done, is_durable, 0),
	FIELD(FIELD_U64, local_done, device, 0),
	FIELD(FIELD_FD, local_done, flush_fd, 0),
};
MESSAGE_TYPE(local_done_type, MESSAGE_LOCAL_DONE, 1, local_done, done_fields);

static const struct field batch_item_fields[] = {
	FIELD(FIELD_SPAN, local_batch_item, headers, LOCAL_HEADERS_MAX),
	FIELD(FIELD_SPAN, local_batch_item, path, LIMIT_TEXT),
	FIELD(FIELD_SPAN, local_batch_item, base, 255),
};
static MESSAGE_TYPE(batch_item_type, 0, 1, local_batch_item, batch_item_fields);

static const struct field batch_fields[] = {
	FIELD(FIELD_I64, local_batch, first_ms, 0),
	FIELD(FIELD_BOOL, local_batch, flush_file, 0),
	FIELD(FIELD_U64, local_batch, size_limit, 0),
	FIELD_LIST_OF(local_batch, items, item_count, batch_item_type, LOCAL_BATCH_MAX),
	FIELD(FIELD_SPAN, local_batch, content, DELIVERY_INLINE_MAX),
	FIELD(FIELD_FD, local_batch, content_fd, 0),
	FIELD(FIELD_U64, local_batch, content_offset, 0),
	FIELD(FIELD_U64, local_batch, size, 0),
};
MESSAGE_TYPE(local_batch_type, MESSAGE_LOCAL_BATCH, 1, local_batch, batch_fields);

static const struct field batch_outcome_fields[] = {
	FIELD(FIELD_U32, local_batch_outcome, result, LOCAL_BOUNCED),
	FIELD(FIELD_SPAN, local_batch_outcome, dsn, 16),
	FIELD(FIELD_SPAN, local_batch_outcome, text, LIMIT_TEXT),
	FIELD(FIELD_BOOL, local_batch_outcome, is_durable, 0),
	FIELD(FIELD_U64, local_batch_outcome, device, 0),
};
static MESSAGE_TYPE(batch_outcome_type, 0, 1, local_batch_outcome, batch_outcome_fields);

static const struct field batch_done_fields[] = {
	FIELD_LIST_OF(local_batch_done, outcomes, outcome_count, batch_outcome_type,
		LOCAL_BATCH_MAX),
	FIELD(FIELD_U64, local_batch_done, flush_device, 0),
	FIELD(FIELD_FD, local_batch_done, flush_fd, 0),
};
MESSAGE_TYPE(local_batch_done_type, MESSAGE_LOCAL_BATCH_DONE, 1, local_batch_done,
	batch_done_fields);
