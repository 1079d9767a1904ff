/* $name expansion: ends, stays within its cap, and says why when it fails.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "conf/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[4096];

/* Names refer to the input itself, so that it can be recursive. */
static const char *look_up(void *arg, struct span name)
{
	(void)arg;
	return name.len == 1 && name.ptr[0] == 'a'   ? text
	       : name.len == 1 && name.ptr[0] == 'b' ? "1"
						     : NULL;
}

static void ignore_name(void *arg, struct span name)
{
	(void)arg;
	CHECK(name.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expand_source source = {look_up, NULL, false};
	struct buf out = BUF_INIT(10000), error = BUF_INIT(1000);
	size_t len = size < sizeof text ? size : sizeof text - 1;

	memcpy(text, data, len);
	text[len] = '\0';
	if (!expand(span_new(data, size), &source, &out, &error))
		CHECK(error.len > 0);
	CHECK(out.len <= 10000);
	expand_names(span_new(data, size), ignore_name, NULL);
	buf_done(&out);
	buf_done(&error);
	return 0;
}
