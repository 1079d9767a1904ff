/* Case folding of keys.
 * SPDX-License-Identifier: ISC */
#include <unicode/ucasemap.h>

#include "base/ascii.h"
#include "base/memory.h"
#include "map/map_private.h"

static bool fold_unicode(struct span text, struct buf *out)
{
	static UCaseMap *folding;
	UErrorCode status = U_ZERO_ERROR;
	char *room = buf_reserve(out, text.len * 4 + 16);
	int32_t len;

	if (folding == NULL)
		folding = ucasemap_open("", U_FOLD_CASE_DEFAULT, &status);
	if (room == NULL || U_FAILURE(status))
		return false;
	len = ucasemap_utf8FoldCase(
		folding, room, (int32_t)(text.len * 4 + 16), text.ptr, (int32_t)text.len, &status);
	if (U_FAILURE(status))
		return false;
	out->len += (size_t)len;
	return true;
}

void map_fold(struct span text, struct buf *out)
{
	if (!span_is_ascii(text) && text.len <= MAP_LINE_MAX && span_is_utf8(text) &&
		fold_unicode(text, out))
		return;
	for (size_t i = 0; i < text.len; i++)
		buf_append_char(out, ascii_lower(text.ptr[i]));
}
