/* Field tables of the counting messages.
 * SPDX-License-Identifier: ISC */
#include "service/anvil.h"

#include "service/limits.h"
#include "service/types.h"

static const struct field count_fields[] = {
	FIELD(FIELD_U32, anvil_count, event, ANVIL_EVENT_COUNT - 1),
	FIELD(FIELD_SPAN, anvil_count, service, LIMIT_NAME),
	FIELD(FIELD_SPAN, anvil_count, client, LIMIT_NAME),
};
MESSAGE_TYPE(anvil_count_type, MESSAGE_ANVIL_COUNT, 1, anvil_count, count_fields);

static const struct field answer_fields[] = {
	FIELD(FIELD_U32, anvil_answer, concurrent, UINT32_MAX),
	FIELD(FIELD_U32, anvil_answer, rate, UINT32_MAX),
};
MESSAGE_TYPE(anvil_answer_type, MESSAGE_ANVIL_ANSWER, 1, anvil_answer, answer_fields);
