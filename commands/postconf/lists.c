/* What this build knows: -a and -A (SASL), -l (locks), -m (table types).
 * SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "commands/postconf/postconf.h"
#include "map/map.h"

static void show_map_types(void)
{
	const char *name;

	for (size_t i = 0; (name = map_type_name_at(i)) != NULL; i++)
		puts(name);
}

int show_list(int option)
{
	switch (option) {
	case 'a': /* the auth process speaks both to us and, by Dovecot's protocol, to others */
		puts("cyrus\ndovecot");
		break;
	case 'A':
		puts("cyrus");
		break;
	case 'l':
		puts("flock\nfcntl\ndotlock");
		break;
	case 'm':
		show_map_types();
		break;
	}
	return 0;
}
