/* The folders of queue_directory and their modes: journal, large, ledger, corrupt 0700, maildrop 1730,
 * public, private, pid. Made by whoever starts first; safe to call again.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QUEUE_LAYOUT_H
#define TAMBO_QUEUE_LAYOUT_H

/* Makes what is missing of the folders that the queue itself needs (journal, large, ledger, corrupt,
 * maildrop), owned by the caller. 0 or -errno. */
int queue_layout_create(const char *queue_directory);

#endif
