/* What the fuzz targets of table types share: a table made of bytes.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_FUZZ_MAP_MAP_FUZZ_H
#define TAMBO_TESTS_FUZZ_MAP_MAP_FUZZ_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Loads the bytes as a table of that type and asks it some keys. */
static inline void fuzz_table(
	const struct map_type *type, const uint8_t *data, size_t size, const char *const *keys)
{
	char path[] = "table", spec[] = "type:table";
	struct map map = {.type = type, .name = path, .spec = spec, .flags = MAP_FOLD_FIXED};
	struct buf error = BUF_INIT(1000);
	int fd = memfd_create("table", MFD_CLOEXEC);

	log_set_sink(ignore_line);
	map.source.path = path;
	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	map.table = type->load(&map, fd, &error);
	close(fd);
	CHECK(map.table != NULL || error.len > 0);
	for (size_t i = 0; map.table != NULL && keys[i] != NULL; i++) {
		struct buf value = BUF_INIT(MAP_VALUE_MAX);
		type->lookup(&map, span_from_cstr(keys[i]), &value);
		buf_done(&value);
	}
	if (map.table != NULL)
		type->unload(map.table);
	buf_done(&error);
}

#endif
