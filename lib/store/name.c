/* Mailbox names; see name_private.h. RFC 3501 5.1.3 (modified UTF-7), RFC 6154 (special use).
 * SPDX-License-Identifier: ISC */
#include "store/name_private.h"

#include "base/ascii.h"
#include "imap/utf7.h"

/* '.' separates folders on disk: inside a component it is written as this, which no valid name
 * holds because printable ASCII is never encoded. */
#define ENCODED_DOT "&AC4-"

/* Control characters, line and paragraph separators, noncharacters: they never belong into a
 * name. */
static bool has_forbidden(struct span utf8)
{
	const unsigned char *at = (const unsigned char *)utf8.ptr;
	for (size_t i = 0; i < utf8.len; i++) {
		size_t left = utf8.len - i;
		if (at[i] < 0x20 || at[i] == 0x7f || (at[i] == 0xc2 && left > 1 && at[i + 1] < 0xa0))
			return true;
		if (left > 2 && at[i] == 0xe2 && at[i + 1] == 0x80 &&
			(at[i + 2] == 0xa8 || at[i + 2] == 0xa9))
			return true;
		if (left > 2 && at[i] == 0xef && at[i + 1] == 0xbf && at[i + 2] >= 0xbe)
			return true;
	}
	return false;
}

static bool is_valid(struct span name)
{
	struct buf utf8 = BUF_INIT(2 * STORE_NAME_MAX);
	bool valid = imap_utf7_decode(name, &utf8) && !has_forbidden(buf_span(&utf8));
	buf_done(&utf8);
	return valid;
}

static bool append_component(struct span part, struct buf *out)
{
	/* "." and ".." could be stored, but not where a mailbox is a path. */
	if (part.len == 0 || span_equal(part, SPAN(".")) || span_equal(part, SPAN("..")))
		return false;
	for (size_t i = 0; i < part.len; i++) {
		if (part.ptr[i] == '.')
			buf_append_cstr(out, ENCODED_DOT);
		else
			buf_append_char(out, part.ptr[i]);
	}
	return true;
}

bool name_to_folder(struct span name, struct buf *ret_folder)
{
	if (name.len == 0 || name.len > STORE_NAME_MAX || !is_valid(name))
		return false;
	if (span_equal_nocase(name, SPAN("INBOX")))
		return true;
	struct buf folder = BUF_INIT(STORE_NAME_MAX);
	struct span rest = name;
	size_t depth = 0;
	bool good = true;
	while (good && rest.ptr != NULL) {
		struct span part = span_split(&rest, STORE_SEPARATOR);
		buf_append_char(&folder, '.');
		if (depth == 0 && span_equal_nocase(part, SPAN("INBOX")))
			part = SPAN("INBOX");
		good = append_component(part, &folder) && ++depth <= STORE_DEPTH_MAX;
	}
	good = good && !folder.overflow;
	if (good)
		buf_append(ret_folder, buf_span(&folder));
	buf_done(&folder);
	return good;
}

bool name_from_folder(struct span folder, struct buf *ret_name)
{
	if (folder.len == 0) {
		buf_append_cstr(ret_name, "INBOX");
		return true;
	}
	if (folder.len < 2 || folder.len > STORE_NAME_MAX || folder.ptr[0] != '.')
		return false;
	struct buf name = BUF_INIT(STORE_NAME_MAX);
	struct buf back = BUF_INIT(STORE_NAME_MAX);
	for (size_t i = 1; i < folder.len; i++) {
		struct span here = span_skip(folder, i);
		if (span_starts_with(here, SPAN(ENCODED_DOT))) {
			buf_append_char(&name, '.');
			i += sizeof(ENCODED_DOT) - 2;
		} else {
			buf_append_char(&name, folder.ptr[i] == '.' ? STORE_SEPARATOR : folder.ptr[i]);
		}
	}
	/* Only what leads back to this very folder is a name: "/" on disk cannot occur, "..", an empty
	 * component or ".inbox" can. */
	bool good = !name.overflow && name_to_folder(buf_span(&name), &back)
		&& span_equal(buf_span(&back), folder);
	if (good)
		buf_append(ret_name, buf_span(&name));
	buf_done(&name);
	buf_done(&back);
	return good;
}

bool store_name_check(struct span name, struct buf *ret_name)
{
	if (name.len > 1 && name.ptr[name.len - 1] == STORE_SEPARATOR)
		name.len--;
	struct buf folder = BUF_INIT(STORE_NAME_MAX);
	bool good = name_to_folder(name, &folder) && name_from_folder(buf_span(&folder), ret_name);
	buf_done(&folder);
	return good;
}

enum store_use name_use(struct span name)
{
	static const struct {
		const char *name;
		enum store_use use;
	} uses[] = {
		{"Drafts", STORE_USE_DRAFTS}, {"Sent", STORE_USE_SENT}, {"Trash", STORE_USE_TRASH},
		{"Junk", STORE_USE_JUNK}, {"Archive", STORE_USE_ARCHIVE},
	};
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (span_equal_nocase(name, span_from_cstr(uses[i].name)))
			return uses[i].use;
	return STORE_USE_NONE;
}

const char *store_use_name(enum store_use use)
{
	switch (use) {
	case STORE_USE_NONE:
		return NULL;
	case STORE_USE_DRAFTS:
		return "\\Drafts";
	case STORE_USE_SENT:
		return "\\Sent";
	case STORE_USE_TRASH:
		return "\\Trash";
	case STORE_USE_JUNK:
		return "\\Junk";
	case STORE_USE_ARCHIVE:
		return "\\Archive";
	}
	return NULL;
}
