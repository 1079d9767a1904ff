/* Headers of a delivery; see header.h.
 * SPDX-License-Identifier: ISC */
#include "local/header.h"

#include "mail/address.h"
#include "mail/header.h"

bool header_has_delivered_to(struct span header, struct span address)
{
	struct header_reader reader;
	struct header_field field;
	bool found = false;
	header_reader_init(&reader, header);
	while (!found && header_next(&reader, &field) == HEADER_FIELD) {
		if (!field.valid || !span_equal_nocase(field.name, SPAN("Delivered-To")))
			continue;
		struct buf value = BUF_INIT(4096);
		header_unfold_clean(field.value, &value);
		found = span_equal_nocase(span_trim(buf_span(&value)), address);
		buf_done(&value);
	}
	return found;
}

/* One line whatever is in the address. */
static void write_address(struct span address, struct buf *out)
{
	struct buf quoted = BUF_INIT(8192);
	mail_address_quote_full(address, &quoted);
	for (size_t i = 0; i < quoted.len; i++) {
		char c = quoted.ptr[i];
		buf_append_char(out, c == '\n' || c == '\r' || c == '\0' ? '_' : c);
	}
	buf_done(&quoted);
}

void header_write(bool has_sender, struct span sender, struct span original,
	struct span delivered_to, struct buf *out)
{
	if (has_sender) {
		buf_append_cstr(out, "Return-Path: <");
		if (sender.len > 0)
			write_address(sender, out);
		buf_append_cstr(out, ">\n");
	}
	if (original.len > 0) {
		buf_append_cstr(out, "X-Original-To: ");
		write_address(original, out);
		buf_append_char(out, '\n');
	}
	if (delivered_to.len > 0) {
		buf_append_cstr(out, "Delivered-To: ");
		write_address(delivered_to, out);
		buf_append_char(out, '\n');
	}
}
