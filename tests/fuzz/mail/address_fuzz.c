/* Paths, address lists, domains: what is parsed can be quoted and parsed again to the same.
 * SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "mail/address.h"
#include "mail/address_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_path(struct span text, unsigned flags, struct arena *arena)
{
	struct mail_address address, again;
	struct span rest = text;
	if (mail_path_parse(&rest, flags, arena, &address) != MAIL_PATH_OK)
		return;
	struct buf path = BUF_INIT(4096);
	buf_append_char(&path, '<');
	mail_address_quote(address, &path);
	buf_append_char(&path, '>');
	rest = buf_span(&path);
	CHECK(mail_path_parse(&rest, flags, arena, &again) == MAIL_PATH_OK);
	CHECK(span_equal(address.full, again.full));
	CHECK(span_equal(mail_address_split(address.full).local, address.local));
	buf_done(&path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	struct address_list list;
	struct buf out = BUF_INIT(1 << 20);
	struct span text = span_new(data, size);
	arena_init(&arena, 1 << 20);
	check_path(text, MAIL_PATH_EMPTY | MAIL_PATH_BARE | MAIL_PATH_NO_DOMAIN, &arena);
	check_path(text, MAIL_PATH_EMPTY | MAIL_PATH_UTF8 | MAIL_PATH_NO_DOMAIN, &arena);
	address_list_parse(text, 1000, &arena, &list);
	for (size_t i = 0; i < list.count; i++)
		address_item_format(&list.items[i], &out);
	CHECK(memchr(buf_cstr(&out), '\n', out.len) == NULL);
	buf_reset(&out);
	mail_domain_to_ascii(text, &out);
	arena_done(&arena);
	buf_done(&out);
	return 0;
}
