/* What FETCH asks for (RFC 3501 6.4.5, RFC 7162 3.1.4): items in the order asked, sections with
 * their parts and header names, partial ranges, macros.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_FETCH_H
#define TAMBO_IMAP_FETCH_H

#include "base/buf.h"
#include "imap/parser.h"

enum imap_section_kind {
	IMAP_SECTION_ALL, /* the message, or with parts the body of that part */
	IMAP_SECTION_HEADER,
	IMAP_SECTION_FIELDS,
	IMAP_SECTION_FIELDS_NOT,
	IMAP_SECTION_TEXT,
	IMAP_SECTION_MIME,
};

#define IMAP_SECTION_DEPTH_MAX 100
#define IMAP_SECTION_FIELDS_MAX 500
#define IMAP_FETCH_ITEMS_MAX 200

struct imap_section {
	enum imap_section_kind kind;
	uint32_t *parts;
	size_t part_count;
	struct span *fields; /* as asked: order and case */
	size_t field_count;
};

enum imap_fetch_kind {
	IMAP_FETCH_BODY, /* the structure without extensions */
	IMAP_FETCH_BODYSTRUCTURE,
	IMAP_FETCH_ENVELOPE,
	IMAP_FETCH_FLAGS,
	IMAP_FETCH_INTERNALDATE,
	IMAP_FETCH_MODSEQ,
	IMAP_FETCH_SECTION, /* BODY[..], and RFC822, RFC822.HEADER, RFC822.TEXT by another label */
	IMAP_FETCH_SIZE,
	IMAP_FETCH_UID,
};

struct imap_fetch_item {
	enum imap_fetch_kind kind;
	struct imap_section section;
	bool peek;
	bool partial;
	uint32_t offset, length; /* of the partial */
	struct span label;	 /* what the response calls a section: "BODY[HEADER]<0>" */
};

struct imap_fetch {
	struct imap_fetch_item *items;
	size_t count;
	bool changed_since_given;
	uint64_t changed_since;
};

/* fetch-att, macro or a list; then the modifiers, when there are any, up to the end. */
bool imap_parse_fetch(struct imap_parser *parser, struct imap_fetch *ret_fetch);
bool imap_fetch_asks(const struct imap_fetch *fetch, enum imap_fetch_kind kind);

#endif
