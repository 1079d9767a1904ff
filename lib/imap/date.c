/* Dates of IMAP. RFC 3501 section 9 (date, date-time); the Gregorian calendar in both directions.
 * SPDX-License-Identifier: ISC */
#include "imap/date.h"

#include "base/ascii.h"

static const char MONTHS[12][4] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* Day number of a date of the Gregorian calendar; month 1-12. */
static int64_t imap_day_number(int64_t year, unsigned month, unsigned day)
{
	/* The year begins in March, so that the leap day is its last. */
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t year_of_era = year - era * 400;
	int64_t day_of_year = (153 * (int64_t)(month + (month > 2 ? 0 : 12) - 3) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static void civil_of_day(int64_t number, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	number += 719468;
	int64_t era = (number >= 0 ? number : number - 146096) / 146097;
	int64_t day_of_era = number - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	*ret_day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (unsigned)(month < 10 ? month + 3 : month - 9);
	*ret_year = year_of_era + era * 400 + (*ret_month <= 2);
}

static bool digits(struct span text, size_t at, size_t count, unsigned *ret_value)
{
	*ret_value = 0;
	if (text.len < at + count)
		return false;
	for (size_t i = at; i < at + count; i++) {
		if (!ascii_is_digit(text.ptr[i]))
			return false;
		*ret_value = *ret_value * 10 + (unsigned)(text.ptr[i] - '0');
	}
	return true;
}

static bool month_of(struct span text, unsigned *ret_month)
{
	for (unsigned i = 0; i < 12; i++) {
		if (!span_equal_nocase(text, span_new(MONTHS[i], 3)))
			continue;
		*ret_month = i + 1;
		return true;
	}
	return false;
}

/* "d-Mon-yyyy" or "dd-Mon-yyyy", all of text. */
static bool parse_day(struct span text, int64_t *ret_day)
{
	unsigned day, month, year;
	size_t dash = span_find_char(text, '-');
	if ((dash != 1 && dash != 2) || text.len != dash + 9 || text.ptr[dash + 4] != '-')
		return false;
	if (!digits(text, 0, dash, &day) || !month_of(span_part(text, dash + 1, 3), &month) ||
		!digits(text, dash + 5, 4, &year))
		return false;
	int64_t first = imap_day_number(year, month, 1);
	int64_t next = month == 12 ? imap_day_number((int64_t)year + 1, 1, 1)
				   : imap_day_number(year, month + 1, 1);
	if (day < 1 || first + day - 1 >= next)
		return false;
	*ret_day = first + day - 1;
	return true;
}

bool imap_parse_date(struct imap_parser *parser, int64_t *ret_day)
{
	struct span text;
	if (!imap_parse_astring(parser, &text) || !parse_day(text, ret_day))
		return imap_parser_fail(parser, "Invalid date");
	return true;
}

bool imap_parse_date_time(struct imap_parser *parser, int64_t *ret_seconds)
{
	struct span text;
	unsigned hour, minute, second, zone_hour, zone_minute;
	int64_t day;
	if (!imap_parse_string(parser, &text))
		return imap_parser_fail(parser, "Invalid date-time");
	while (text.len > 0 && text.ptr[0] == ' ')
		text = span_skip(text, 1);
	size_t space = span_find_char(text, ' ');
	struct span rest = span_skip(text, space == SIZE_MAX ? text.len : space + 1);
	if (space == SIZE_MAX || !parse_day(span_head(text, space), &day) || rest.len != 14 ||
		rest.ptr[2] != ':' || rest.ptr[5] != ':' || rest.ptr[8] != ' ' ||
		(rest.ptr[9] != '+' && rest.ptr[9] != '-'))
		return imap_parser_fail(parser, "Invalid date-time");
	if (!digits(rest, 0, 2, &hour) || !digits(rest, 3, 2, &minute) ||
		!digits(rest, 6, 2, &second) || !digits(rest, 10, 2, &zone_hour) ||
		!digits(rest, 12, 2, &zone_minute) || hour > 23 || minute > 59 || second > 60 ||
		zone_minute > 59)
		return imap_parser_fail(parser, "Invalid date-time");
	int64_t zone = ((int64_t)zone_hour * 60 + zone_minute) * 60;
	*ret_seconds = day * 86400 + hour * 3600 + minute * 60 + second -
		       (rest.ptr[9] == '-' ? -zone : zone);
	return true;
}

int64_t imap_day_of(int64_t seconds, int zone_minutes)
{
	int64_t local = seconds + (int64_t)zone_minutes * 60;
	return local >= 0 ? local / 86400 : (local - 86399) / 86400;
}

void imap_write_date_time(int64_t seconds, int zone_minutes, struct buf *out)
{
	int64_t day = imap_day_of(seconds, zone_minutes), year;
	int64_t rest = seconds + (int64_t)zone_minutes * 60 - day * 86400;
	unsigned month, month_day;
	int zone = zone_minutes < 0 ? -zone_minutes : zone_minutes;
	civil_of_day(day, &year, &month, &month_day);
	if (year < 0 || year > 9999) /* the grammar has four digits */
		year = year < 0 ? 0 : 9999;
	buf_append_format(out, "\"%02u-%s-%04d %02d:%02d:%02d %c%02d%02d\"", month_day,
		MONTHS[month - 1], (int)year, (int)(rest / 3600), (int)(rest / 60 % 60),
		(int)(rest % 60), zone_minutes < 0 ? '-' : '+', zone / 60, zone % 60);
}
