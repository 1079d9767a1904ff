/* Tables that this process cannot ask itself, asked of proxymap. INVARIANT: whatever goes wrong on
 * the way is MAP_ERROR, which is temporary, never "not found". When proxymap does not answer, it is
 * left alone for a moment, so that a thousand lookups do not wait one after the other.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon_private.h"
#include "map/map.h"
#include "service/proxymap.h"
#include "sys/file_access.h"

#define ANSWER_MS 10000
#define OUTAGE_MS 5000     /* after a failure: errors at once */
#define COMPLAINT_MS 10000 /* between two log lines */
#define IDLE_MAX 20        /* channels kept */

static struct daemon_pool *pool;
static task_time outage_until, next_complaint;

static void complain(const char *spec, const char *why)
{
	if (task_now() < next_complaint)
		return;
	next_complaint = task_deadline(COMPLAINT_MS);
	log_warning(NULL, "proxy:%s is unavailable. %s", spec, why);
}

/* One exchange. -EPIPE: the process at the other end has gone, another may be there. */
static int exchange(const struct map_question *question, struct map_answer *ret_answer,
	struct channel **ret_channel)
{
	task_time deadline = task_deadline(ANSWER_MS);
	struct channel *channel = daemon_pool_take(pool, deadline);
	void *reply;
	if (channel == NULL)
		return -ECONNREFUSED;
	int error = channel_call(
		channel, &map_question_type, question, &map_answer_type, deadline, &reply);
	if (error != 0) {
		channel_free(channel);
		return error == -ECONNRESET ? -EPIPE : error;
	}
	*ret_answer = *(struct map_answer *)reply;
	*ret_channel = channel;
	return 0;
}

static enum map_result take_answer(
	const char *spec, const struct map_answer *answer, struct buf *ret_value)
{
	switch ((enum proxymap_status)answer->status) {
	case PROXYMAP_FOUND:
		buf_append(ret_value, answer->value);
		return ret_value->overflow ? MAP_ERROR : MAP_FOUND;
	case PROXYMAP_NOT_FOUND:
		return MAP_NOT_FOUND;
	case PROXYMAP_ERROR:
		break;
	}
	char *why = span_dup_cstr(answer->error);
	complain(spec, why);
	free(why);
	return MAP_ERROR;
}

static enum map_result ask(
	const char *spec, unsigned flags, struct span key, struct buf *ret_value)
{
	struct map_question question = {span_from_cstr(spec), flags, key};
	struct map_answer answer;
	struct channel *channel = NULL;
	/* Outside of a task nothing can wait. */
	if (task_self() == NULL || task_now() < outage_until)
		return MAP_ERROR;
	int error = exchange(&question, &answer, &channel);
	if (error == -EPIPE)
		error = exchange(&question, &answer, &channel);
	if (error != 0) {
		if (error != -ECANCELED && error != -EMSGSIZE)
			outage_until = task_deadline(OUTAGE_MS);
		complain(spec, strerror(-error));
		return MAP_ERROR;
	}
	enum map_result result = take_answer(spec, &answer, ret_value);
	daemon_pool_give(pool, channel);
	return result;
}

void daemon_maps(void)
{
	map_set_opener(file_open_read);
	/* proxymap is who others ask. */
	if (strcmp(daemon_state.spec->name, "proxymap") == 0)
		return;
	pool = daemon_pool_new(conf_get(daemon_state.conf, "proxymap_service_name"), IDLE_MAX);
	map_set_proxy(ask);
}
