/* Mailbox names; see name_private.h. RFC 3501 5.1.3 (modified UTF-7), RFC 6154 (special use).
 * SPDX-License-Identifier: ISC */
#include "store/name_private.h"

#include "base/ascii.h"
#include "base/base64.h"

/* '.' separates folders on disk: inside a component it is written as this, which no valid name
 * holds because printable ASCII is never encoded. */
#define ENCODED_DOT "&AC4-"

/* RFC 3501 5.1.3: a comma stands for the slash. */
static int base64_value(char c)
{
	return c == ',' ? 63 : c == '/' ? -1 : base64_digit(c);
}

/* UTF-16 units seen so far in one shifted run. */
struct units {
	uint32_t high; /* pending high surrogate */
	bool any;
};

static bool take_unit(struct units *units, uint32_t unit)
{
	units->any = true;
	if (units->high != 0) {
		units->high = 0;
		return unit >= 0xdc00 && unit <= 0xdfff;
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		units->high = unit;
		return true;
	}
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return false;
	/* Printable ASCII must stand for itself; control characters never belong into a name. */
	return unit >= 0xa0 && unit != 0xfffe && unit != 0xffff && unit != 0x2028 && unit != 0x2029;
}

static bool check_run(struct span run)
{
	uint32_t bits = 0;
	unsigned count = 0;
	struct units units = {0};
	for (size_t i = 0; i < run.len; i++) {
		int value = base64_value(run.ptr[i]);
		if (value < 0)
			return false;
		bits = (bits << 6 | (uint32_t)value) & 0x3fffff;
		count += 6;
		if (count >= 16) {
			count -= 16;
			if (!take_unit(&units, bits >> count & 0xffff))
				return false;
		}
	}
	return units.any && units.high == 0 && count < 6 && (bits & ((1U << count) - 1)) == 0;
}

bool name_is_mutf7(struct span text)
{
	bool after_run = false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c < 0x20 || c > 0x7e)
			return false;
		if (c != '&') {
			after_run = false;
			continue;
		}
		struct span rest = span_skip(text, i + 1);
		size_t end = span_find_char(rest, '-');
		if (end == SIZE_MAX)
			return false;
		if (end > 0 && (after_run || !check_run(span_head(rest, end))))
			return false;
		after_run = end > 0;
		i += end + 1;
	}
	return true;
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
	if (name.len == 0 || name.len > STORE_NAME_MAX || !name_is_mutf7(name))
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
