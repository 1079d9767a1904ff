/* Fields of a passwd-file entry, and where its mailbox is: never outside of an absolute path
 * without "..".
 * SPDX-License-Identifier: ISC */
#include "account/account_private.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct account_entry entry;
	struct span value, text = span_new(data, size);
	struct account account;
	struct buf path = BUF_INIT(4096);
	if (!account_entry_parse(text, &entry))
		return 0;
	account_init(&account);
	CHECK(entry.extra.len <= size && entry.home.len <= size);
	if (account_extra(entry.extra, "userdb_mail", &value) &&
		account_parse_location(value, entry.home, &path) &&
		account_set_mailbox(&account, buf_span(&path))) {
		CHECK(account_path_is_safe(buf_span(&account.mailbox)));
		CHECK(buf_cstr(&account.mailbox)[0] == '/');
		CHECK(span_find(buf_span(&account.mailbox), SPAN("/../")) == SIZE_MAX);
	}
	account_done(&account);
	buf_done(&path);
	return 0;
}
