/* Any line is parsed, or refused.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "pop3/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pop3_command command;
	uint32_t number, lines;
	if (!pop3_command_parse(span_new(data, size), &command))
		return 0;
	CHECK(command.argument.len <= size);
	if (pop3_parse_number(command.argument, &number))
		CHECK(number > 0);
	if (pop3_parse_top(command.argument, &number, &lines))
		CHECK(number > 0);
	return 0;
}
