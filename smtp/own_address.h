/* The addresses of this host, to notice that a mail exchanger is ourselves: inet_interfaces and
 * proxy_interfaces, read once before the walls close.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_SMTP_OWN_ADDRESS_H
#define TAMBO_SMTP_OWN_ADDRESS_H

#include "net/socket.h"

/* 0 or -errno. */
int own_address_load(const char *inet_interfaces, const char *proxy_interfaces);
bool own_address_is(const struct address *address);

#endif
