/* What the files of postconf share: its options, and the configuration as postconf sees it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_COMMANDS_POSTCONF_POSTCONF_H
#define TAMBO_COMMANDS_POSTCONF_POSTCONF_H

#include "base/buf.h"
#include "base/table.h"
#include "conf/conf.h"
#include "conf/master_cf.h"

enum action { ACTION_SHOW, ACTION_EDIT, ACTION_REMOVE, ACTION_COMMENT };
enum subject { SUBJECT_MAIN, SUBJECT_MASTER, SUBJECT_FIELDS, SUBJECT_PARAMETERS };

/* Where a parameter's name comes from: bits for -C. */
enum class {
	CLASS_BUILTIN = 1,
	CLASS_SERVICE = 2, /* made from a transport's name */
	CLASS_USER = 4,	   /* set in main.cf and referred to somewhere */
};

struct options {
	enum action action;
	enum subject subject;
	bool defaults;	  /* -d */
	bool only_set;	  /* -n */
	bool expand;	  /* -x */
	bool fold;	  /* -f */
	bool hide_names;  /* -h */
	bool hide_values; /* -H */
	unsigned classes; /* -C */
	const char *dir;
	bool dir_given;
	struct conf_override *overrides; /* -o */
	size_t override_count;
};

struct entry {
	char *name, *value;
	unsigned line;
};

struct database {
	const struct options *options;
	char *main_path, *master_path;
	struct conf *conf;     /* what is in force; with -d the defaults alone */
	struct entry *entries; /* of main.cf, the last of each name */
	size_t entry_count;
	struct master_cf *master; /* NULL: there is none that can be read */
	struct table names; /* every name that means something, to enum class (as a pointer) */
};

/* names.c: loads both files; ends the process when main.cf cannot be read. */
void database_load(struct database *database, const struct options *options);
void database_warn_undefined(const struct database *database);
void database_warn_unused(const struct database *database);
/* 0: the name means nothing. */
unsigned database_class(const struct database *database, struct span name);

/* show_main.c, show_master.c, lists.c: each prints, and returns the exit status. */
int show_main(struct database *database, int count, char **names);
int show_master(struct database *database, int count, char **patterns);
int show_fields(struct database *database, int count, char **patterns);
int show_parameters(struct database *database, int count, char **patterns);
int show_list(int option);

/* edit_main.c, edit_master.c */
int edit_main(const struct options *options, int count, char **args);
int edit_master(const struct options *options, int count, char **args);

/* One value in the form of "name = value", with white space folded, wrapped for -f. */
void format_value(
	const struct options *options, const char *name, struct span value, struct buf *out);

#endif
