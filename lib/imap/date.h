/* Dates of IMAP (RFC 3501 section 9: date, date-time). Days and seconds count from 1970-01-01.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_IMAP_DATE_H
#define TAMBO_IMAP_DATE_H

#include "base/buf.h"
#include "imap/parser.h"

/* date, as in SEARCH: 1-Feb-1994, with or without quotes. */
bool imap_parse_date(struct imap_parser *parser, int64_t *ret_day);
/* date-time, as in APPEND: " 7-Feb-1994 21:52:25 -0800", quoted. */
bool imap_parse_date_time(struct imap_parser *parser, int64_t *ret_seconds);

/* "07-Feb-1994 21:52:25 -0800", with the quotes; zone_minutes is added to the time shown. */
void imap_write_date_time(int64_t seconds, int zone_minutes, struct buf *out);
/* The day of that moment in that zone. */
int64_t imap_day_of(int64_t seconds, int zone_minutes);

#endif
