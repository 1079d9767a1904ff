/* Tables that stand in main.cf itself: inline, static, pipemap, unionmap, randmap, internal, and
 * tables within tables. The first byte chooses the type.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "map/map_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static bool count_entry(void *arg, struct span key, struct span value)
{
	CHECK(key.len > 0 && value.len <= MAP_VALUE_MAX);
	++*(size_t *)arg;
	return true;
}

static void ask(struct map *map)
{
	static const char *const keys[] = {"a", "b", "user@example.com", "192.0.2.1"};
	size_t count = 0;
	(void)map_each(map, count_entry, &count);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct buf value = BUF_INIT(MAP_VALUE_MAX);
		(void)map_lookup(map, span_from_cstr(keys[i]), &value);
		CHECK(!value.overflow);
		buf_done(&value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = {
		"inline", "static", "pipemap", "unionmap", "randmap", "internal", "fail"};
	static struct conf *conf;
	struct buf spec = BUF_INIT(MAP_LINE_MAX);
	char *error = NULL;
	if (conf == NULL) {
		log_set_sink(ignore_line);
		conf = conf_parse("/nonexistent", "fuzz", SPAN_EMPTY, &error);
		CHECK(conf != NULL);
	}
	/* Nested tables could name any file of this machine. */
	if (size < 1 || memchr(data, '/', size) != NULL)
		return 0;
	buf_append_format(&spec, "%s:", types[data[0] % ARRAY_LEN(types)]);
	for (size_t i = 1; i < size; i++)
		buf_append_char(&spec, data[i] == '\0' ? '0' : (char)data[i]);
	struct map *map = map_open(conf, buf_cstr(&spec), MAP_FOLD_FIXED, &error);
	CHECK((map == NULL) == (error != NULL));
	if (map != NULL)
		ask(map);
	map_close(map);
	free(error);
	buf_done(&spec);
	return 0;
}
