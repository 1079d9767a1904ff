/* tambo-maildir(1): looks at a Maildir as the server sees it, gives folders with UTF-8 names those
 * that IMAP can say, and hands it back to Dovecot. Run by root it becomes the Maildir's owner
 * first.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/check.h"
#include "store/export.h"
#include "store/hidden.h"

static int usage(void)
{
	fprintf(stderr, "usage: tambo-maildir status|rename-utf8|export-dovecot MAILDIR\n");
	return EX_USAGE;
}

/* PRIV: root must not write into somebody's folder. */
static int become_owner(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return -errno;
	if (geteuid() != 0)
		return 0;
	if (st.st_uid == 0)
		return -EPERM;
	if (setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 || setuid(st.st_uid) != 0)
		return -errno;
	return 0;
}

static int show_status(struct store *store, struct span name)
{
	struct mailbox_status status;
	int error = store_status(store, name, &status);
	if (error == 0)
		printf("%.*s: %u messages, %u unseen, uidvalidity %u, uidnext %u\n", SPAN_ARGS(name),
			status.exists, status.unseen, status.uidvalidity, status.uidnext);
	return error;
}

static int export_one(struct store *store, struct span name)
{
	size_t left_out = 0;
	int error = store_export_dovecot(store, name, &left_out);
	if (error == 0 && left_out > 0)
		printf("%.*s: %zu messages have keywords beyond the first 26, which Dovecot cannot keep in "
			"a Maildir\n", SPAN_ARGS(name), left_out);
	return error;
}

static int each_mailbox(struct store *store, int (*fn)(struct store *store, struct span name))
{
	struct arena arena;
	struct store_entry *entries;
	size_t count = 0;
	arena_init(&arena, 64UL << 20);
	int error = store_list(store, &arena, &entries, &count);
	for (size_t i = 0; error == 0 && i < count; i++) {
		if ((entries[i].flags & STORE_EXISTS) == 0)
			continue;
		error = fn(store, entries[i].name);
		if (error != 0)
			fprintf(stderr, "tambo-maildir: %.*s: %s\n", SPAN_ARGS(entries[i].name),
				strerror(-error));
	}
	arena_done(&arena);
	return error;
}

/* As it may be shown on a terminal. */
static void show_folder(FILE *out, const char *folder)
{
	for (const char *at = folder; *at != '\0'; at++)
		fputc(ascii_is_control(*at) ? '?' : *at, out);
}

static void tell_hidden(const char *folder, struct span name, int error)
{
	(void)error;
	show_folder(stdout, folder);
	if (name.len > 0)
		printf(": not seen by IMAP, rename-utf8 would make it %.*s\n", SPAN_ARGS(name));
	else
		printf(": not seen by IMAP, which has no name for it\n");
}

static int show_all(struct store *store)
{
	int error = each_mailbox(store, show_status);
	return error != 0 ? error : store_hidden(store, false, tell_hidden);
}

static bool some_stay;

static void tell_renamed(const char *folder, struct span name, int error)
{
	bool renamed = name.len > 0 && error == 0;
	some_stay = some_stay || !renamed;
	show_folder(renamed ? stdout : stderr, folder);
	if (renamed)
		printf(": now %.*s\n", SPAN_ARGS(name));
	else
		fprintf(stderr, ": %s\n", name.len == 0 ? "IMAP has no name for it" : strerror(-error));
}

static int rename_all(struct store *store)
{
	int error = store_hidden(store, true, tell_renamed);
	return error == 0 && some_stay ? -EEXIST : error;
}

static int export_all(struct store *store)
{
	return each_mailbox(store, export_one);
}

static const struct {
	const char *name;
	int (*run)(struct store *store);
} actions[] = {
	{"status", show_all},
	{"rename-utf8", rename_all},
	{"export-dovecot", export_all},
};

int main(int argc, char **argv)
{
	int (*run)(struct store *store) = NULL;
	struct store *store;
	for (size_t i = 0; argc == 3 && i < ARRAY_LEN(actions); i++)
		if (strcmp(argv[1], actions[i].name) == 0)
			run = actions[i].run;
	if (run == NULL)
		return usage();
	char *path = realpath(argv[2], NULL);
	int error = path == NULL ? -errno : become_owner(path);
	if (error == 0)
		error = store_open(path, 0, &store);
	if (error != 0) {
		fprintf(stderr, "tambo-maildir: %s: %s\n", argv[2], strerror(-error));
		free(path);
		return error == -EPERM || error == -EACCES ? EX_NOPERM : EX_NOINPUT;
	}
	error = run(store);
	store_close(store);
	free(path);
	return error == 0 ? EX_OK : EX_IOERR;
}
