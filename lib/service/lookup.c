/* Field tables of the name lookup messages.
 * SPDX-License-Identifier: ISC */
#include "service/lookup.h"

#include "service/limits.h"
#include "service/types.h"

static const struct field question_fields[] = {
	FIELD(FIELD_U32, lookup_question, kind, LOOKUP_HOST),
	FIELD(FIELD_SPAN, lookup_question, name, LIMIT_NAME),
};
MESSAGE_TYPE(lookup_question_type, MESSAGE_DNS_QUESTION, 1, lookup_question, question_fields);

static const struct field answer_fields[] = {
	FIELD(FIELD_U32, lookup_answer, status, LOOKUP_FORWARD_TEMPORARY),
	FIELD(FIELD_SPAN, lookup_answer, name, LIMIT_NAME),
};
MESSAGE_TYPE(lookup_answer_type, MESSAGE_DNS_ANSWER, 1, lookup_answer, answer_fields);
