/* tambo-maildir(1): looks at a Maildir as the server sees it, and hands it back to Dovecot. Run by
 * root it becomes the owner of the Maildir first.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "store/export.h"

static int usage(void)
{
	fprintf(stderr, "usage: tambo-maildir status|export-dovecot MAILDIR\n");
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

int main(int argc, char **argv)
{
	int (*fn)(struct store *store, struct span name) = NULL;
	struct store *store;
	if (argc == 3 && strcmp(argv[1], "status") == 0)
		fn = show_status;
	else if (argc == 3 && strcmp(argv[1], "export-dovecot") == 0)
		fn = export_one;
	if (fn == NULL)
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
	error = each_mailbox(store, fn);
	store_close(store);
	free(path);
	return error == 0 ? EX_OK : EX_IOERR;
}
