/* postmap and postalias: the same command, but for the form of the text and of the listing.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_COMMON_TABLE_COMMAND_H
#define TAMBO_COMMANDS_COMMON_TABLE_COMMAND_H

#include <stdbool.h>

#include "base/buf.h"
#include "conf/conf.h"

struct map_builder;

struct table_command {
	const char *program;
	bool aliases;	    /* postalias */
	bool keep_case;	    /* -f */
	bool files;	    /* -F */
	bool update;	    /* -i */
	bool with_nul;	    /* -N */
	bool keep_root;	    /* -o */
	bool plain_mode;    /* -p */
	bool replace;	    /* -r */
	bool quiet;	    /* -w */
	bool list;	    /* -s */
	const char *query;  /* -q */
	const char *remove; /* -d */
	struct conf *conf;
};

/* The whole of main(): the exit status. */
int table_command_main(bool aliases, int argc, char **argv);
/* Makes one indexed table ("type:name") from its text. Ends the process on an error. */
void table_command_build(const struct table_command *command, const char *spec);
/* Loads main.cf of dir (NULL: the usual place); a missing file gives the defaults, as Postfix's
 * tools need none. Ends the process when it cannot be used. */
struct conf *table_command_load_conf(const char *dir);
/* A builder with the rights and the owner that the table's text has. Ends the process on an error.
 */
struct map_builder *table_command_open_builder(
	const struct table_command *command, const char *name, bool update, uint64_t text_size);
/* A whole file ("-": standard input): 0 or -errno. */
int table_command_read_file(const char *path, struct buf *out);

#endif
