/* The answers to questions about names (service/lookup.h).
 * SPDX-License-Identifier: ISC */
#ifndef ANVIL_NAMES_H
#define ANVIL_NAMES_H

#include "base/arena.h"
#include "service/lookup.h"

#define NAMES_ARENA_MAX (256 * 1024)

/* Waits in a task; the answer's name lives in the arena. */
void names_answer(const struct lookup_question *question, struct arena *arena,
	struct lookup_answer *ret_answer);

#endif
