/* Handing a Maildir back to Dovecot; see export.h.
 * SPDX-License-Identifier: ISC */
#include "store/export.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "store/change_private.h"
#include "store/file_private.h"
#include "store/filename.h"
#include "store/mailbox_private.h"
#include "store/uidlist_private.h"

static int write_head(const struct mailbox *mailbox, struct buf *out)
{
	uint8_t guid[16];
	if (getrandom(guid, sizeof(guid), 0) != (ssize_t)sizeof(guid))
		return -EIO;
	buf_append_format(out, "3 V%u N%u G", mailbox_uidvalidity(mailbox), mailbox_uidnext(mailbox));
	for (size_t i = 0; i < sizeof(guid); i++)
		buf_append_format(out, "%02x", guid[i]);
	buf_append_char(out, '\n');
	return 0;
}

/* "uid [S..] [W..] [P..] :name", the name without its flags. */
static int write_message(struct mailbox *mailbox, uint32_t uid, struct buf *out)
{
	struct index_row row;
	struct filename name;
	struct buf text = BUF_INIT(255), uidl = BUF_INIT(200), usual = BUF_INIT(32);
	int error = mailbox_get_row(mailbox, uid, &row, &text);
	if (error == 0)
		error = mailbox_message_uidl(mailbox, uid, &uidl);
	if (error == 0 && !filename_parse(buf_span(&text), &name))
		error = -EIO;
	if (error == 0) {
		buf_append_u64(out, uid);
		if (row.size != FILENAME_UNKNOWN)
			buf_append_format(out, " S%llu", (unsigned long long)row.size);
		if (row.crlf_size != FILENAME_UNKNOWN)
			buf_append_format(out, " W%llu", (unsigned long long)row.crlf_size);
		buf_append_format(&usual, "%08x%08x", uid, mailbox_uidvalidity(mailbox));
		if (!span_equal(buf_span(&uidl), buf_span(&usual))) {
			buf_append_cstr(out, " P");
			buf_append(out, buf_span(&uidl));
		}
		buf_append_cstr(out, " :");
		buf_append(out, name.base);
		buf_append_char(out, '\n');
	}
	buf_done(&text);
	buf_done(&uidl);
	buf_done(&usual);
	return error;
}

static void write_keywords(const struct mailbox *mailbox, struct buf *out)
{
	for (size_t i = 0; i < mailbox_keyword_count(mailbox) && i < 26; i++) {
		struct span name = mailbox_keyword(mailbox, i);
		if (name.len > 0)
			buf_append_format(out, "%zu %.*s\n", i, SPAN_ARGS(name));
	}
}

int store_export_dovecot(struct store *store, struct span name, size_t *ret_left_out)
{
	struct mailbox *mailbox;
	struct buf list = BUF_INIT(UIDLIST_SIZE_MAX), keywords = BUF_INIT(16384);
	size_t left_out = 0;
	int error = mailbox_open(store, name, MAILBOX_READ_ONLY, &mailbox);
	if (error != 0)
		return error;
	error = write_head(mailbox, &list);
	for (size_t i = 0; error == 0 && i < mailbox_count(mailbox); i++) {
		const struct message *message = mailbox_at(mailbox, i);
		left_out += change_has_more(message->keywords, message->keyword_count);
		error = write_message(mailbox, message->uid, &list);
	}
	write_keywords(mailbox, &keywords);
	if (error == 0 && (list.overflow || keywords.overflow))
		error = -EFBIG;
	if (error == 0)
		error = file_replace_at(mailbox->folder->dir_fd, "dovecot-keywords", buf_span(&keywords));
	if (error == 0)
		error = file_replace_at(mailbox->folder->dir_fd, "dovecot-uidlist", buf_span(&list));
	mailbox_close(mailbox);
	buf_done(&list);
	buf_done(&keywords);
	if (error == 0 && ret_left_out != NULL)
		*ret_left_out = left_out;
	return error;
}
