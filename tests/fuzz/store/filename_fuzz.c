/* File names and mailbox names: what parses comes back the same.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "store/filename.h"
#include "store/name_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_new(data, size);
	struct filename one, two;
	struct buf out = BUF_INIT(1024), again = BUF_INIT(1024), name = BUF_INIT(1024);
	if (filename_parse(text, &one)) {
		filename_format(&one, one.has_info, &out);
		if (out.len <= 255) {
			CHECK(filename_parse(buf_span(&out), &two));
			CHECK(one.flags == two.flags && one.keywords == two.keywords
				&& one.has_uid == two.has_uid && one.size == two.size
				&& span_equal(one.unique, two.unique));
			filename_format(&two, two.has_info, &again);
			CHECK(span_equal(buf_span(&out), buf_span(&again)));
		}
	}
	buf_reset(&out);
	buf_reset(&again);
	if (name_to_folder(text, &out)) {
		CHECK(memchr(out.ptr == NULL ? "" : out.ptr, '/', out.len) == NULL);
		CHECK(!span_equal(buf_span(&out), SPAN("..")) && !span_equal(buf_span(&out), SPAN(".")));
		CHECK(name_from_folder(buf_span(&out), &name));
		CHECK(name_to_folder(buf_span(&name), &again));
		CHECK(span_equal(buf_span(&out), buf_span(&again)));
	}
	buf_reset(&name);
	(void)name_from_folder(text, &name);
	buf_done(&out);
	buf_done(&again);
	buf_done(&name);
	return 0;
}
