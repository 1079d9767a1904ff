/* See service.h. Questions of one channel are answered in order; a message that is not understood
 * closes its channel and harms nobody else.
 * SPDX-License-Identifier: ISC */
#include "proxymap/service.h"

#include <errno.h>

#include "base/list.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "map/map.h"
#include "proxymap/settings.h"
#include "proxymap/tables.h"
#include "service/limits.h"

#define SEND_MS 60000
#define YIELD_EVERY 32 /* answers: nobody has the process for himself */

struct asker {
	struct list_node node;
	struct task *task;
	bool idle; /* waits for a question */
};

static struct tables *tables;
static struct list_node askers = LIST_INIT(askers);

int service_prepare(struct conf *conf)
{
	/* Nothing comes from master, and accounts are asked of the name service. */
	map_set_opener(NULL);
	tables = tables_new(conf);
	int error = settings_read_tables(conf, tables);
	log_debug(NULL, "%zu tables", tables_count(tables));
	return error;
}

static int answer(struct channel *channel, const struct map_question *question)
{
	struct buf value = BUF_INIT(PROXYMAP_VALUE_MAX), error = BUF_INIT(LIMIT_TEXT);
	struct map_answer reply;
	tables_ask(tables, question, &value, &error, &reply);
	int rc = channel_send(channel, &map_answer_type, &reply);
	if (rc == 0)
		rc = channel_flush(channel, task_deadline(SEND_MS));
	buf_done(&value);
	buf_done(&error);
	return rc;
}

void service_serve(struct channel *channel_take, const char *peer)
{
	struct asker asker = {.task = task_self()};
	int rc = 0;
	(void)peer;
	list_append(&askers, &asker.node);
	for (unsigned count = 1; rc == 0 && !daemon_is_stopping(); count++) {
		void *message;
		asker.idle = true;
		rc = channel_expect(channel_take, &map_question_type, TASK_FOREVER, &message);
		asker.idle = false;
		if (rc == 0)
			rc = answer(channel_take, message);
		if (rc == 0 && count % YIELD_EVERY == 0)
			rc = task_yield();
	}
	list_remove(&asker.node);
	channel_free(channel_take);
}

/* Who waits for an answer gets it; the others ask the next process. */
void service_stop(void)
{
	LIST_FOREACH(node, &askers) {
		struct asker *asker = LIST_ENTRY(node, struct asker, node);
		if (asker->idle)
			task_cancel(asker->task);
	}
}
