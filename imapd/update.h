/* The one place that tells a client what changed in its mailbox: EXPUNGE, EXISTS, RECENT, FETCH
 * with flags, new keywords (RFC 3501 5.2, 7.3, 7.4.1).
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAPD_UPDATE_H
#define TAMBO_IMAPD_UPDATE_H

#include "imapd/session.h"

enum update_flag { UPDATE_EXPUNGES = 1 };

/* Brings the view up to date and tells the client. with_uid: FETCH responses name the UID (during a
 * UID command). Does nothing when no mailbox is selected. */
void update_send(struct session *session, unsigned flags, bool with_uid);
/* One message's flags as an untagged FETCH; only_modseq leaves the flags out. */
void update_send_flags(struct session *session, size_t index, bool with_uid, bool only_modseq);
/* "(\Seen kw)" of one message, without the word FLAGS. */
void update_write_flags(struct session *session, const struct message *message, struct buf *out);
/* FLAGS and PERMANENTFLAGS of the selected mailbox. */
void update_send_keywords(struct session *session);
/* The selected mailbox is not there any more: says BYE; the session ends. */
void update_mailbox_gone(struct session *session);

#endif
