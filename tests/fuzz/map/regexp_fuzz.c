/* regexp: and pcre: tables made of any bytes.
 * SPDX-License-Identifier: ISC */
#include "map_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {
		"a", "user@example.com", "192.0.2.1", "2001:db8::1", "gr\xc3\xbc\xc3\x9f", NULL};

	fuzz_table(&map_type_regexp, data, size, keys);
	fuzz_table(&map_type_pcre, data, size, keys);
	return 0;
}
