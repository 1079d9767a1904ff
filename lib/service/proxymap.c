/* Field tables of the table messages.
 * SPDX-License-Identifier: ISC */
#include "service/proxymap.h"

#include "map/map.h"
#include "service/limits.h"
#include "service/types.h"

static const struct field question_fields[] = {
	FIELD(FIELD_SPAN, map_question, table, PROXYMAP_TABLE_MAX),
	FIELD(FIELD_U32, map_question, flags, MAP_FOLD_FIXED | MAP_NO_SUBSTITUTE),
	FIELD(FIELD_SPAN, map_question, key, PROXYMAP_KEY_MAX),
};
MESSAGE_TYPE(map_question_type, MESSAGE_MAP_LOOKUP, 1, map_question, question_fields);

static const struct field answer_fields[] = {
	FIELD(FIELD_U32, map_answer, status, PROXYMAP_ERROR),
	FIELD(FIELD_SPAN, map_answer, value, PROXYMAP_VALUE_MAX),
	FIELD(FIELD_SPAN, map_answer, error, LIMIT_TEXT),
};
MESSAGE_TYPE(map_answer_type, MESSAGE_MAP_ANSWER, 1, map_answer, answer_fields);
