/* Tables that a process cannot ask itself are asked of proxymap: one question, one answer, many on
 * a channel. Only tables that proxymap's own configuration names are opened; a table that cannot be
 * asked is an error, which is always temporary.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SERVICE_PROXYMAP_H
#define TAMBO_SERVICE_PROXYMAP_H

#include "ipc/message.h"

enum proxymap_limit {
	PROXYMAP_TABLE_MAX = 65536, /* "type:name": inline tables stand there in full */
	PROXYMAP_KEY_MAX = 8192,
	PROXYMAP_VALUE_MAX = 256 * 1024,
};

enum proxymap_status { PROXYMAP_FOUND, PROXYMAP_NOT_FOUND, PROXYMAP_ERROR };

struct map_question {
	struct span table; /* "type:name", as map_spec writes it */
	uint32_t flags;    /* MAP_FOLD_FIXED, MAP_NO_SUBSTITUTE */
	struct span key;
};

struct map_answer {
	uint32_t status;
	struct span value; /* found */
	struct span error; /* why the table cannot be asked, for the log */
};

extern const struct message_type map_question_type, map_answer_type;

#endif
