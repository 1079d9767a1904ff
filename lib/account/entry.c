/* The pure half of account.h: fields of a passwd-file entry.
 * SPDX-License-Identifier: ISC */
#include "account/account_private.h"

bool account_entry_parse(struct span value, struct account_entry *ret_entry)
{
	struct span *const fields[] = {
		&ret_entry->password, &ret_entry->uid, &ret_entry->gid, &ret_entry->gecos,
		&ret_entry->home, &ret_entry->shell,
	};
	struct span rest = value;
	if (memchr(value.ptr, 0, value.len) != NULL)
		return false;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*fields[i] = rest.ptr != NULL ? span_split(&rest, ':') : SPAN_EMPTY;
	/* The last field may hold colons: userdb_mail=maildir:~/Maildir */
	ret_entry->extra = rest.ptr != NULL ? rest : SPAN_EMPTY;
	return true;
}

bool account_extra(struct span extra, const char *name, struct span *ret_value)
{
	struct span rest = extra, word;
	while (span_token(&rest, " \t", &word)) {
		struct span value = word;
		struct span key = span_split(&value, '=');
		if (span_equal(key, span_from_cstr(name))) {
			*ret_value = value.ptr != NULL ? value : SPAN_EMPTY;
			return true;
		}
	}
	return false;
}

bool account_path_is_safe(struct span path)
{
	if (path.len < 2 || path.ptr[0] != '/' || memchr(path.ptr, 0, path.len) != NULL)
		return false;
	struct span rest = path;
	while (rest.ptr != NULL)
		if (span_equal(span_split(&rest, '/'), SPAN("..")))
			return false;
	return true;
}

bool account_set_mailbox(struct account *account, struct span path)
{
	buf_reset(&account->mailbox);
	account->maildir = span_ends_with(path, SPAN("/"));
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	buf_append(&account->mailbox, path);
	return !account->mailbox.overflow && account_path_is_safe(path);
}

/* "maildir:~/Maildir", "mbox:/path", "maildir:%h/Maildir:OPTIONS" (options
 * are another server's). */
bool account_parse_location(struct span location, struct span home, struct buf *out)
{
	bool maildir = span_starts_with(location, SPAN("maildir:"));
	if (!maildir && !span_starts_with(location, SPAN("mbox:")))
		return false;
	location = span_skip(location, maildir ? 8 : 5);
	struct span path = span_split(&location, ':');
	if (span_starts_with(path, SPAN("~/")) || span_starts_with(path, SPAN("%h/"))) {
		buf_append(out, home);
		path = span_skip(path, path.ptr[0] == '~' ? 1 : 2);
	}
	buf_append(out, path);
	if (maildir && !span_ends_with(path, SPAN("/")))
		buf_append_char(out, '/');
	return path.len > 0 && !out->overflow;
}
