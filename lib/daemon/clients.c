/* See clients.h.
 * SPDX-License-Identifier: ISC */
#include "daemon/clients.h"

#include <stdio.h>

#include "base/buf.h"

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
	if (socket_local_address(fd, &local) == 0)
		to_text(local, ret->local);
}

/* The value in the table is the number itself. */
bool clients_enter(struct table *counts, const char *address, int64_t limit)
{
	struct span key = span_from_cstr(address);
	uintptr_t count = (uintptr_t)table_get(counts, key);
	if (limit > 0 && count >= (uintptr_t)limit)
		return false;
	(void)table_put(counts, key, (void *)(count + 1));
	return true;
}

void clients_leave(struct table *counts, const char *address)
{
	struct span key = span_from_cstr(address);
	uintptr_t count = (uintptr_t)table_get(counts, key);
	if (count <= 1)
		(void)table_remove(counts, key);
	else
		(void)table_put(counts, key, (void *)(count - 1));
}
