/* One message's FETCH response (RFC 3501 7.4.2): items in the order asked; flags, dates, sizes,
 * ENVELOPE and BODYSTRUCTURE come from the store's index, sections from the file in pieces.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_FETCH_H
#define TAMBO_IMAPD_FETCH_H

#include "imap/fetch.h"
#include "imapd/session.h"

/* with_flags: FLAGS are told though they were not asked for (\Seen was set by this FETCH). 0;
 * -ENOENT: the message is gone and nothing was sent; other -errno: nothing was sent. When a file
 * fails in the middle of a literal the connection is marked failed: nothing else can be right then.
 */
int fetch_send(
	struct session *session, size_t index, const struct imap_fetch *fetch, bool with_flags);

#endif
