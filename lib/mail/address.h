/* Mail addresses, RFC 5321 section 4.1.2 and RFC 6531 section 3.3. The internal form is
 * "local@domain" with the local part unquoted; it is quoted again only where it leaves the house.
 * Source routes are stripped, "%", "!" and a second "@" in the local part mean nothing: they are
 * bytes of the name. Nothing is looked up and nothing is completed here.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_ADDRESS_H
#define TAMBO_MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/buf.h"

#define MAIL_LOCAL_PART_MAX 512 /* RFC 5321 asks for 64; VERP and SRS make longer ones */
#define MAIL_DOMAIN_MAX 255
#define MAIL_ADDRESS_MAX (MAIL_LOCAL_PART_MAX + 1 + MAIL_DOMAIN_MAX)
#define MAIL_PATH_MAX 2048 /* as written: quotes, source route */

struct mail_address {
	struct span full;   /* "local@domain", or "local" when there is no domain; "" for <> */
	struct span local;  /* unquoted; may hold spaces, quotes, '@' */
	struct span domain; /* as written: "example.com", "[192.0.2.1]", a U-label; "" when none */
};

enum mail_path_flag {
	MAIL_PATH_UTF8 = 1,      /* SMTPUTF8 is in force: UTF-8 in local part and domain */
	MAIL_PATH_BARE = 2,      /* angle brackets may be missing (strict_rfc821_envelopes = no) */
	MAIL_PATH_EMPTY = 4,     /* "<>" is allowed */
	MAIL_PATH_NO_DOMAIN = 8, /* "<user>" is allowed, the domain is then "" */
};

enum mail_path_result {
	MAIL_PATH_OK,
	MAIL_PATH_SYNTAX,     /* not a path */
	MAIL_PATH_NON_ASCII,  /* bytes above 127 without MAIL_PATH_UTF8, or not UTF-8 */
	MAIL_PATH_TOO_LONG,
	MAIL_PATH_BAD_DOMAIN, /* neither a name (RFC 1123, IDN) nor an address literal */
	MAIL_PATH_IS_EMPTY,   /* "<>" without MAIL_PATH_EMPTY */
};

/* Parses the path at the beginning of *input (after "MAIL FROM:"; leading spaces are skipped) and
 * leaves *input behind it, where parameters or nothing follow. The address lives in the arena. On
 * failure *input is unchanged. */
enum mail_path_result mail_path_parse(struct span *input, unsigned flags, struct arena *arena,
	struct mail_address *ret_address);

/* RFC 5322 atext, with UTF-8 as RFC 6531 allows. */
bool mail_is_atext(char c);

/* Splits the internal form at its last '@'. Never fails: without '@' the domain is empty. The
 * results point into full. */
struct mail_address mail_address_split(struct span full);

/* Appends local@domain, the local part quoted where RFC 5321 needs it ("a b"@example.com). */
void mail_address_quote(struct mail_address address, struct buf *out);
/* The same from the internal form. */
void mail_address_quote_full(struct span full, struct buf *out);
/* Appends text as a quoted string (RFC 5322 3.2.4); a control character becomes `control`. */
void mail_quoted_string(struct span text, char control, struct buf *out);
/* Appends a local part alone, quoted where needed (RFC 5321 Local-part; UTF-8 is left as it is). */
void mail_local_part_quote(struct span local, struct buf *out);

/* --- domains --- */

/* A host name of RFC 1123 section 2.1: labels of letters, digits, '-' (not at the ends) and '_',
 * 1-63 bytes each, at most 255 in all, not all-numeric at the end; no trailing dot. */
bool mail_domain_is_name(struct span domain);
/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3). ret_address (may be NULL) gets what
 * an address parser needs: "192.0.2.1" or "2001:db8::1". */
bool mail_domain_is_literal(struct span domain, struct span *ret_address);
/* Appends the name in lower case with U-labels made A-labels (IDNA2008, UTS #46 mapping): the form
 * to compare and to ask DNS for. A literal is lower-cased only. False (nothing appended) when it is
 * not a domain name. */
bool mail_domain_to_ascii(struct span domain, struct buf *out);
/* An international name in its other form: appends the A-labels of one with U-labels, the U-labels
 * of one with A-labels. False (nothing appended): it has only one form. */
bool mail_domain_other_form(struct span domain, struct buf *out);
/* True when both are the same domain: case and A-label/U-label form do not matter. */
bool mail_domain_equal(struct span a, struct span b);
/* Appends the internal form with the domain lower-cased (ASCII letters only) and the local part as
 * it is: a key for tables that fold domains. */
void mail_address_fold_domain(struct span full, struct buf *out);

/* --- recipient_delimiter --- */

/* Splits "user+ext" at the first byte that is in delimiters (a set; "" never splits). Not split:
 * postmaster, mailer-daemon, double-bounce, an empty user, and (when '-' is in the set) owner-x and
 * x-request. False when there is no extension: *ret_user is then the whole. */
bool mail_local_part_split(struct span local, const char *delimiters, struct span *ret_user,
	struct span *ret_extension);

#endif
