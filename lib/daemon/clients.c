/* See clients.h.
 * SPDX-License-Identifier: ISC */
#include "daemon/clients.h"

#include <stdio.h>

#include "daemon/daemon.h"
#include "service/anvil_client.h"

static void to_text(struct address address, char *text)
{
	struct buf buf = BUF_INIT(CLIENT_ADDRESS_SIZE - 1);
	address_unmap(&address);
	address_format(&address, &buf);
	snprintf(text, CLIENT_ADDRESS_SIZE, "%s", buf_cstr(&buf));
	buf_done(&buf);
}

void client_addresses_read(int fd, const struct address *peer, struct client_addresses *ret)
{
	struct address local;
	to_text(*peer, ret->remote);
	ret->local[0] = '\0';
	ret->counted = false;
	if (socket_local_address(fd, &local) == 0)
		to_text(local, ret->local);
}

static struct channel *take_anvil(void *arg, task_time deadline)
{
	return daemon_connect(arg, deadline);
}

static struct anvil_client *anvil(void)
{
	static struct anvil_client client;
	static char name[] = "anvil";
	if (client.service == NULL)
		anvil_client_init(&client, daemon_service(), take_anvil, name);
	return &client;
}

bool clients_enter(struct client_addresses *client, int64_t limit)
{
	struct anvil_answer answer;
	client->counted =
		limit > 0 && anvil_client_count(anvil(), ANVIL_CONNECT, client->remote, &answer);
	return !client->counted || (int64_t)answer.concurrent <= limit;
}

void clients_leave(struct client_addresses *client)
{
	struct anvil_answer answer;
	if (client->counted)
		(void)anvil_client_count(anvil(), ANVIL_DISCONNECT, client->remote, &answer);
	client->counted = false;
}
