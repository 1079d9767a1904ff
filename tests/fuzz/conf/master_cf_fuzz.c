/* master.cf: any text is parsed or refused with a reason.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"
#include "conf/master_cf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = NULL;
	struct master_cf *parsed = master_cf_parse(span_new(data, size), "master.cf", &error);

	CHECK((parsed == NULL) == (error != NULL));
	for (size_t i = 0; parsed != NULL && i < parsed->count; i++) {
		const struct master_service *service = &parsed->services[i];
		CHECK(service->operands <= service->arg_count);
		CHECK(master_cf_find(parsed, service->name, service->type) == service);
	}
	master_cf_free(parsed);
	free(error);
	return 0;
}
