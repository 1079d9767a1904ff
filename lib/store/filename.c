/* Maildir file names; see filename.h.
 * SPDX-License-Identifier: ISC */
#include "store/filename.h"

#include "base/ascii.h"
#include "store/mailbox.h"

static const struct {
	char letter;
	uint32_t flag;
} letters[] = {
	/* In the order in which Maildir wants them. */
	{'D', MESSAGE_DRAFT}, {'F', MESSAGE_FLAGGED}, {'R', MESSAGE_ANSWERED}, {'S', MESSAGE_SEEN},
	{'T', MESSAGE_DELETED},
};

/* "V.U", both 1 to 2^32-1 without a leading zero. */
static bool parse_uid(struct span value, struct filename *f)
{
	struct span rest = value;
	struct span validity_text = span_split(&rest, '.');
	uint64_t validity, uid;
	if (rest.ptr == NULL || !span_to_u64(validity_text, UINT32_MAX, &validity)
		|| !span_to_u64(rest, UINT32_MAX, &uid) || validity == 0 || uid == 0
		|| validity_text.ptr[0] == '0' || rest.ptr[0] == '0')
		return false;
	f->has_uid = true;
	f->uidvalidity = (uint32_t)validity;
	f->uid = (uint32_t)uid;
	return true;
}

static bool is_size_field(struct span field, char key)
{
	uint64_t unused;
	return field.len > 2 && field.ptr[0] == key && field.ptr[1] == '='
		&& span_to_u64(span_skip(field, 2), INT64_MAX, &unused);
}

static bool is_own_field(struct span field)
{
	struct filename scratch = {0};
	return is_size_field(field, 'S') || is_size_field(field, 'W')
		|| (field.len > 2 && field.ptr[0] == 'T' && field.ptr[1] == '='
			&& parse_uid(span_skip(field, 2), &scratch));
}

static void parse_base(struct filename *f)
{
	struct span rest = f->base;
	f->unique = span_split(&rest, ',');
	bool in_unique = true;
	while (rest.ptr != NULL) {
		struct span field = span_split(&rest, ',');
		if (is_own_field(field)) {
			in_unique = false;
			if (field.ptr[0] == 'S')
				(void)span_to_u64(span_skip(field, 2), INT64_MAX, &f->size);
			else if (field.ptr[0] == 'W')
				(void)span_to_u64(span_skip(field, 2), INT64_MAX, &f->crlf_size);
			else
				(void)parse_uid(span_skip(field, 2), f);
		} else if (in_unique) {
			f->unique.len = (size_t)(field.ptr + field.len - f->unique.ptr);
		}
	}
}

static void parse_info(struct span info, struct filename *f)
{
	size_t i = 0;
	f->rest = span_skip(info, info.len);
	for (; i < info.len; i++) {
		char c = info.ptr[i];
		uint32_t flag = 0;
		for (size_t k = 0; k < sizeof(letters) / sizeof(letters[0]); k++)
			if (letters[k].letter == c)
				flag = letters[k].flag;
		if (flag != 0)
			f->flags |= flag;
		else if (ascii_is_lower(c))
			f->keywords |= 1U << (c - 'a');
		else
			break;
	}
	/* What is not known begins here, known letters behind it are read all the same up to a
	 * comma. */
	f->rest = span_skip(info, i);
	for (; i < info.len && info.ptr[i] != ','; i++) {
		char c = info.ptr[i];
		for (size_t k = 0; k < sizeof(letters) / sizeof(letters[0]); k++)
			if (letters[k].letter == c)
				f->flags |= letters[k].flag;
		if (ascii_is_lower(c))
			f->keywords |= 1U << (c - 'a');
	}
}

bool filename_parse(struct span name, struct filename *ret_filename)
{
	if (name.len == 0 || name.len > 255 || name.ptr[0] == '.'
		|| memchr(name.ptr, '/', name.len) != NULL || memchr(name.ptr, 0, name.len) != NULL)
		return false;
	struct filename f = {.size = FILENAME_UNKNOWN, .crlf_size = FILENAME_UNKNOWN,
		.rest = SPAN_EMPTY};
	size_t colon = span_find_char(name, ':');
	f.base = colon == SIZE_MAX ? name : span_head(name, colon);
	if (f.base.len == 0)
		return false;
	parse_base(&f);
	if (colon != SIZE_MAX) {
		struct span info = span_skip(name, colon + 1);
		if (span_starts_with(info, SPAN("2,"))) {
			f.has_info = true;
			parse_info(span_skip(info, 2), &f);
		}
	}
	*ret_filename = f;
	return true;
}

/* Fields of the old base that stand behind ours. */
static void append_other_fields(const struct filename *f, struct buf *out)
{
	if (f->base.len <= f->unique.len)
		return;
	struct span rest = span_skip(f->base, f->unique.len + 1);
	while (rest.ptr != NULL) {
		struct span field = span_split(&rest, ',');
		if (!is_own_field(field)) {
			buf_append_char(out, ',');
			buf_append(out, field);
		}
	}
}

static void append_info(const struct filename *f, struct buf *out)
{
	buf_append_cstr(out, ":2,");
	for (size_t k = 0; k < sizeof(letters) / sizeof(letters[0]); k++)
		if ((f->flags & letters[k].flag) != 0)
			buf_append_char(out, letters[k].letter);
	struct span rest = f->rest;
	size_t comma = span_find_char(rest, ',');
	struct span foreign = comma == SIZE_MAX ? rest : span_head(rest, comma);
	/* P and other capitals of other programs stand between; exact order matters to nobody. */
	for (size_t i = 0; i < foreign.len; i++) {
		bool known = ascii_is_lower(foreign.ptr[i]);
		for (size_t k = 0; k < sizeof(letters) / sizeof(letters[0]); k++)
			known = known || letters[k].letter == foreign.ptr[i];
		if (!known)
			buf_append_char(out, foreign.ptr[i]);
	}
	for (int k = 0; k < 26; k++)
		if ((f->keywords & (1U << k)) != 0)
			buf_append_char(out, (char)('a' + k));
	if (comma != SIZE_MAX)
		buf_append(out, span_skip(rest, comma));
}

void filename_format(const struct filename *f, bool with_info, struct buf *out)
{
	buf_append(out, f->unique);
	if (f->size != FILENAME_UNKNOWN) {
		buf_append_cstr(out, ",S=");
		buf_append_u64(out, f->size);
	}
	if (f->crlf_size != FILENAME_UNKNOWN) {
		buf_append_cstr(out, ",W=");
		buf_append_u64(out, f->crlf_size);
	}
	if (f->has_uid) {
		buf_append_cstr(out, ",T=");
		buf_append_u64(out, f->uidvalidity);
		buf_append_char(out, '.');
		buf_append_u64(out, f->uid);
	}
	append_other_fields(f, out);
	if (with_info)
		append_info(f, out);
}

void filename_delivery_base(struct span queue_id, uint32_t recipient, int64_t arrival_ms,
	struct span host, struct buf *out)
{
	buf_append_format(out, "%lld.Q", (long long)(arrival_ms / 1000));
	for (size_t i = 0; i < queue_id.len && i < 64; i++)
		if (ascii_is_alnum(queue_id.ptr[i]))
			buf_append_char(out, queue_id.ptr[i]);
	buf_append_format(out, "R%u.", recipient);
	size_t used = 0;
	for (size_t i = 0; i < host.len && used < 64; i++, used++) {
		char c = host.ptr[i];
		buf_append_char(out, ascii_is_alnum(c) || c == '-' || c == '.' ? c : '_');
	}
	if (used == 0)
		buf_append_cstr(out, "localhost");
}
