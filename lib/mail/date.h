/* Dates of mail: RFC 5322 section 3.3 and 4.3 (Date:, all obsolete forms). IMAP's own forms are in
 * imap/date.h. No clock, no time zone database, no locale.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_MAIL_DATE_H
#define TAMBO_MAIL_DATE_H

#include "base/buf.h"

struct mail_date {
	int64_t seconds;   /* since 1970-01-01 00:00:00 UTC */
	int32_t zone;      /* minutes east of UTC, -5999 to 5999 (+9959 is allowed syntax) */
};

struct civil_time {
	int64_t year;
	int month, day;     /* 1-12, 1-31 */
	int hour, minute, second;
	int weekday;        /* 0: Sunday */
};

/* Accepts day names, comments, folding, two- and three-digit years, zone names, missing seconds and
 * missing or unknown zones (then UTC). A leap second becomes the next second. False when it is no
 * date. */
bool mail_date_parse(struct span text, struct mail_date *ret_date);
/* "Sun, 22 Nov 2026 07:23:48 +0000" */
void mail_date_format(struct mail_date date, struct buf *out);

/* The day in the date's own zone, as days since 1970-01-01 (IMAP SEARCH SENTON ignores the zone).
 * */
int64_t mail_date_day(struct mail_date date);

/* Proleptic Gregorian calendar. */
void civil_from_seconds(int64_t seconds, struct civil_time *ret_time);

#endif
