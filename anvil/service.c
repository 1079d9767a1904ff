/* See service.h. A message that is not understood closes its channel and harms nobody else.
 * SPDX-License-Identifier: ISC */
#include "anvil/service.h"

#include <errno.h>

#include "anvil/counters.h"
#include "anvil/names.h"
#include "base/check.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "dns/resolve.h"
#include "service/anvil.h"
#include "service/lookup.h"

static struct counters counters;

int service_prepare(struct conf *conf)
{
	int64_t unit = conf_get_time(conf, "anvil_rate_time_unit");

	if (conf_error_count(conf) > 0)
		return -EINVAL;
	counters_init(&counters, unit);
	int rc = dns_open(conf_get(conf, "dns_servers"), 0);
	if (rc != 0)
		log_fatal(NULL, "dns_servers: cannot use \"%s\"", conf_get(conf, "dns_servers"));
	return rc;
}

static int count(struct channel *channel, struct counters_owner *owner,
	const struct anvil_count *message)
{
	struct anvil_answer answer = {0};

	counters_count(&counters, owner, message, task_now(), &answer);
	return channel_send(channel, &anvil_answer_type, &answer);
}

static int look_up(struct channel *channel, const struct lookup_question *question)
{
	struct arena arena;
	struct lookup_answer answer = {.status = LOOKUP_TEMPORARY, .name = SPAN_EMPTY};

	arena_init(&arena, NAMES_ARENA_MAX);
	names_answer(question, &arena, &answer);
	int rc = channel_send(channel, &lookup_answer_type, &answer);
	arena_done(&arena);
	return rc;
}

void service_serve(struct channel *channel_take, const char *peer)
{
	const struct message_type *const types[] = {&anvil_count_type, &lookup_question_type};
	struct counters_owner owner;
	int rc = 0;

	(void)peer;
	counters_owner_init(&owner);
	while (rc == 0) {
		size_t which;
		void *message;
		rc = channel_receive(channel_take, types, ARRAY_LEN(types), TASK_FOREVER, &which,
			&message);
		if (rc == 0)
			rc = which == 0 ? count(channel_take, &owner, message) :
				look_up(channel_take, message);
	}
	counters_owner_done(&counters, &owner);
	channel_free(channel_take);
}
