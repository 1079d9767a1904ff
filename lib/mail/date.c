/* Dates of RFC 5322. See date.h.
 * SPDX-License-Identifier: ISC */
#include "mail/date.h"

#include "base/ascii.h"
#include "base/check.h"

#define YEAR_MAX 9999
#define DAY_SECONDS INT64_C(86400)

static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec"};
static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

/* Days from 1970-01-01; years begin in March so that the leap day is the last of its year. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return era * 146097 + day_of_era - 719468;
}

static int64_t civil_to_seconds(const struct civil_time *t)
{
	return days_from_civil(t->year, t->month, t->day) * DAY_SECONDS + t->hour * 3600 +
		t->minute * 60 + t->second;
}

void civil_from_seconds(int64_t seconds, struct civil_time *ret_time)
{
	int64_t days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
	int64_t rest = seconds - days * DAY_SECONDS;
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day_of_era = shifted - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int month_index = (int)((5 * day_of_year + 2) / 153);
	ret_time->day = (int)(day_of_year - (153 * month_index + 2) / 5 + 1);
	ret_time->month = month_index < 10 ? month_index + 3 : month_index - 9;
	ret_time->year = year_of_era + era * 400 + (ret_time->month <= 2);
	ret_time->hour = (int)(rest / 3600);
	ret_time->minute = (int)(rest / 60 % 60);
	ret_time->second = (int)(rest % 60);
	ret_time->weekday = (int)(((days % 7) + 11) % 7);
}

static int days_in_month(int64_t year, int month)
{
	static const int days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return days[month - 1] + (month == 2 && leap);
}

static bool civil_is_valid(const struct civil_time *t)
{
	return t->year >= 1 && t->year <= YEAR_MAX && t->month >= 1 && t->month <= 12 && t->day >= 1 &&
		t->day <= days_in_month(t->year, t->month) && t->hour <= 23 && t->minute <= 59 &&
		t->second <= 60;
}

/* 1-12; 0 when the first three letters are no month. */
static int month_number(struct span word)
{
	for (int i = 0; i < 12; i++)
		if (span_equal_nocase(span_head(word, 3), span_new(month_names[i], 3)))
			return i + 1;
	return 0;
}

static bool is_day_name(struct span word)
{
	for (int i = 0; i < 7; i++)
		if (span_equal_nocase(span_head(word, 3), span_new(day_names[i], 3)))
			return true;
	return false;
}

/* Length of the comment at the beginning of s, nested ones included. */
static size_t comment_length(struct span s)
{
	size_t depth = 0;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == '(')
			depth++;
		else if (s.ptr[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.len;
}

/* Next word; spaces, commas, comments and (in dates as "22-Nov-2026") dashes between alphanumerics
 * separate. A sign belongs to the digits behind it when zone is set. */
static bool next_word(struct span *rest, bool zone, struct span *ret_word)
{
	while (rest->len > 0) {
		char c = rest->ptr[0];
		if (c == '(')
			*rest = span_skip(*rest, comment_length(*rest));
		else if (ascii_is_space(c) || c == ',' || (c == '-' && !zone))
			*rest = span_skip(*rest, 1);
		else
			break;
	}
	size_t end = 0;
	while (end < rest->len) {
		char c = rest->ptr[end];
		if (ascii_is_space(c) || c == ',' || c == '(' || (c == '-' && (end > 0 || !zone)) ||
			(c == '+' && end > 0))
			break;
		end++;
	}
	*ret_word = span_head(*rest, end);
	*rest = span_skip(*rest, end);
	return end > 0;
}

static bool parse_small(struct span word, uint64_t max, int *ret_value)
{
	uint64_t value;
	if (word.len > 2 || !span_to_u64(word, max, &value))
		return false;
	*ret_value = (int)value;
	return true;
}

static bool parse_year(struct span word, int64_t *ret_year)
{
	uint64_t year;
	if (!span_to_u64(word, YEAR_MAX, &year))
		return false;
	if (word.len <= 2)
		year += year < 50 ? 2000 : 1900;
	else if (word.len == 3)
		year += 1900;
	*ret_year = (int64_t)year;
	return true;
}

/* "07:23", "07:23:48", "07:23:48.123" */
static bool parse_time(struct span word, struct civil_time *t)
{
	struct span rest = word;
	if (!parse_small(span_split(&rest, ':'), 23, &t->hour) || rest.ptr == NULL ||
		!parse_small(span_split(&rest, ':'), 59, &t->minute))
		return false;
	if (rest.ptr == NULL)
		return true;
	struct span fraction = rest;
	return parse_small(span_split(&fraction, '.'), 60, &t->second);
}

/* Zones that are not known count as -0000 (RFC 5322 section 4.3). */
static int32_t parse_zone(struct span word)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {{"EST", -5}, {"EDT", -4}, {"CST", -6}, {"CDT", -5}, {"MST", -7}, {"MDT", -6},
		{"PST", -8}, {"PDT", -7}, {"BST", 1}, {"CET", 1}, {"CEST", 2}, {"MET", 1}, {"EET", 2},
		{"EEST", 3}, {"JST", 9}};
	uint64_t value;
	if (word.len > 1 && (word.ptr[0] == '+' || word.ptr[0] == '-')) {
		struct span digits = span_skip(word, 1);
		int minutes;
		if (digits.len != 4 || !span_to_u64(digits, 9999, &value) || value % 100 > 59)
			return 0;
		minutes = (int)(value / 100 * 60 + value % 100);
		return word.ptr[0] == '-' ? -minutes : minutes;
	}
	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		if (span_equal_nocase(word, span_from_cstr(zones[i].name)))
			return zones[i].hours * 60;
	return 0;
}

/* ctime's order: "Sun Nov 22 07:23:48 2026", with or without a zone before the year. */
static bool parse_ctime(struct span rest, struct civil_time *t)
{
	struct span word;
	if (!next_word(&rest, false, &word) || !parse_small(word, 31, &t->day) ||
		!next_word(&rest, false, &word) || !parse_time(word, t) ||
		!next_word(&rest, false, &word))
		return false;
	if (!parse_year(word, &t->year))
		return next_word(&rest, false, &word) && parse_year(word, &t->year);
	return true;
}

bool mail_date_parse(struct span text, struct mail_date *ret_date)
{
	struct span rest = text, word;
	struct civil_time t = {0};
	int32_t zone = 0;
	if (!next_word(&rest, false, &word))
		return false;
	if (is_day_name(word) && !next_word(&rest, false, &word))
		return false;
	t.month = month_number(word);
	if (t.month > 0) {
		if (!parse_ctime(rest, &t))
			return false;
	} else {
		if (!parse_small(word, 31, &t.day) || !next_word(&rest, false, &word) ||
			(t.month = month_number(word)) == 0 || !next_word(&rest, false, &word) ||
			!parse_year(word, &t.year) || !next_word(&rest, false, &word) ||
			!parse_time(word, &t))
			return false;
		if (next_word(&rest, true, &word))
			zone = parse_zone(word);
	}
	if (!civil_is_valid(&t))
		return false;
	*ret_date = (struct mail_date){civil_to_seconds(&t) - zone * 60, zone};
	return true;
}

static void local_civil(struct mail_date date, struct civil_time *ret_time)
{
	civil_from_seconds(date.seconds + date.zone * 60, ret_time);
}

static void append_clock(const struct civil_time *t, int32_t zone, struct buf *out)
{
	int minutes = zone < 0 ? -zone : zone;
	buf_append_format(out, "%02d:%02d:%02d %c%02d%02d", t->hour, t->minute, t->second,
		zone < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

void mail_date_format(struct mail_date date, struct buf *out)
{
	struct civil_time t;
	local_civil(date, &t);
	buf_append_format(out, "%s, %d %s %04lld ", day_names[t.weekday], t.day,
		month_names[t.month - 1], (long long)t.year);
	append_clock(&t, date.zone, out);
}

int64_t mail_date_day(struct mail_date date)
{
	int64_t seconds = date.seconds + date.zone * 60;
	return seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
}
