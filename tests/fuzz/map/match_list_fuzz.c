/* mynetworks, mydestination and their like: the first line is the key, the rest the patterns. An
 * address that an entry names as it stands is found.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "map/map.h"
#include "map/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static void check_network(struct span text, struct span key)
{
	struct network network, address;
	if (!network_parse_address(key, &address))
		return;
	CHECK(address.size == 4 || address.size == 16);
	CHECK(network_contains(&address, &address));
	if (network_parse(text, &network) == NULL) {
		CHECK(network.bits <= network.size * 8);
		(void)network_contains(&network, &address);
	}
}

static void check_list(struct conf *conf, const char *patterns, struct span key)
{
	static const enum match_kind kinds[] = {
		MATCH_DOMAIN, MATCH_DOMAIN_TREE, MATCH_NETWORK, MATCH_STRING};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		char *error = NULL;
		struct match_list *list = match_list_open(conf, patterns, kinds[i], &error);
		CHECK((list == NULL) == (error != NULL));
		if (list != NULL)
			(void)match_list_check(list, key);
		match_list_close(list);
		free(error);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf *conf;
	struct span patterns = span_new(data, size);
	struct span key = span_split(&patterns, '\n');
	char *error = NULL;
	if (conf == NULL) {
		log_set_sink(ignore_line);
		conf = conf_parse("/nonexistent", "fuzz", SPAN_EMPTY, &error);
		CHECK(conf != NULL);
	}
	if (patterns.ptr == NULL || memchr(patterns.ptr, '\0', patterns.len) != NULL)
		return 0;
	check_network(patterns, key);
	/* "/file" and "type:/file" could name any file of this machine; a network's '/' has a digit. */
	for (size_t i = 0; i < patterns.len; i++)
		if (patterns.ptr[i] == '/' && (i == 0 || i + 1 == patterns.len ||
			patterns.ptr[i + 1] < '0' || patterns.ptr[i + 1] > '9'))
			return 0;
	char *text = span_dup_cstr(patterns);
	check_list(conf, text, key);
	free(text);
	return 0;
}
