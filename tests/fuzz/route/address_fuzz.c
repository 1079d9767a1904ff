/* Any bytes as an address: classification ends, and never calls an address ours whose mail would go
 * to a domain that is not.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "route/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"compatibility_level = 3.6\nmyhostname = mail.example.com\nmyorigin = example.com\n"
	"mydestination = example.com\ninet_interfaces = 127.0.0.1\nrecipient_delimiter = +-\n"
	"alias_maps =\nauth_user_maps =\nlocal_recipient_maps =\n"
	"virtual_alias_domains = alias.example\nrelay_domains = relay.example\n";

static struct route *open_route(void)
{
	char *error = NULL;
	struct conf *conf = conf_parse("/nowhere", "fuzz", span_from_cstr(text), &error);
	CHECK(conf != NULL);
	struct route *route = route_open(conf, &error);
	CHECK(route != NULL);
	return route;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct route *route;
	struct route_verdict verdict;
	struct route_result result;
	struct span address = span_new(data, size);
	if (route == NULL)
		route = open_route();
	enum map_result ours = route_is_ours(route, address);
	route_validate_recipient(route, address, &verdict);
	CHECK(verdict.text[sizeof verdict.text - 1] == '\0');
	route_result_init(&result);
	if (route_resolve(route, address, SPAN("s@x.test"), &result) && address.len > 0)
		CHECK(ours != MAP_FOUND || result.class != ROUTE_DEFAULT);
	route_result_done(&result);
	return 0;
}
