/* See anvil_client.h.
 * SPDX-License-Identifier: ISC */
#include "service/anvil_client.h"

#define ANSWER_MS 10000

void anvil_client_init(struct anvil_client *client, const char *service,
	struct channel *(*take)(void *arg, task_time deadline), void *arg)
{
	*client = (struct anvil_client){.service = service, .arg = arg, .take = take};
	task_lock_init(&client->lock);
}

void anvil_client_done(struct anvil_client *client)
{
	channel_free(client->channel);
	client->channel = NULL;
}

bool anvil_client_count(struct anvil_client *client, enum anvil_event event, const char *address,
	struct anvil_answer *ret_answer)
{
	task_time deadline = task_deadline(ANSWER_MS);
	struct anvil_count count = {.event = event,
		.service = span_from_cstr(client->service),
		.client = span_from_cstr(address)};
	void *message;
	int status = -1;
	if (task_lock_take(&client->lock, deadline) != 0)
		return false;
	if (client->channel == NULL)
		client->channel = client->take(client->arg, deadline);
	if (client->channel != NULL)
		status = channel_call(client->channel, &anvil_count_type, &count,
			&anvil_answer_type, deadline, &message);
	if (status == 0)
		*ret_answer = *(const struct anvil_answer *)message;
	else
		anvil_client_done(client);
	task_lock_release(&client->lock);
	return status == 0;
}
