/* postmap(1). See commands/common/table_command.h.
 * SPDX-License-Identifier: ISC */
#include "commands/common/table_command.h"

int main(int argc, char **argv)
{
	return table_command_main(false, argc, argv);
}
