/* mailq(1): the queue listing, which is postqueue -p. Being a program of its own, it need not be
 * setgid: postqueue is.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/buf.h"
#include "conf/conf.h"

int main(int argc, char **argv)
{
	const char *dir = NULL;
	char *error = NULL;
	/* sendmail's flags are taken and ignored: mailq -v, mailq -Ac ... */
	for (int c; (c = getopt(argc, argv, "C:c:A:d:O:o:q:v")) > 0;)
		if (c == 'c' || c == 'C')
			dir = optarg;
	struct conf *conf = conf_load(dir, "mailq", NULL, 0, &error);
	if (conf == NULL) {
		fprintf(stderr, "mailq: fatal: %s\n", error);
		return EX_CONFIG;
	}
	struct buf path = BUF_INIT(4096);
	buf_append_format(&path, "%s/postqueue", conf_get(conf, "command_directory"));
	if (dir != NULL)
		execl(buf_cstr(&path), "postqueue", "-p", "-c", dir, (char *)NULL);
	else
		execl(buf_cstr(&path), "postqueue", "-p", (char *)NULL);
	perror(buf_cstr(&path));
	return EX_OSERR;
}
