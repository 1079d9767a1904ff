/* The folders of queue_directory that the queue itself needs: journal, large, ledger, corrupt
 * (0700) and maildrop (1730, group setgid_group: who is in it may put files there, not look). Made
 * by whoever starts first; safe to call again.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_LAYOUT_H
#define TAMBO_QUEUE_LAYOUT_H

#include <sys/types.h>

struct queue_layout_owner {
	uid_t uid;       /* mail_owner */
	gid_t gid;
	gid_t drop_gid;  /* setgid_group, or gid when there is none */
};

/* Makes what is missing. owner NULL: it belongs to the caller. Given an owner (by root), what is
 * there is given to it too. 0 or -errno. */
int queue_layout_create(const char *queue_directory, const struct queue_layout_owner *owner);

#endif
