/* See settings.h.
 * SPDX-License-Identifier: ISC */
#include "cleanup/settings.h"

#include <errno.h>
#include <time.h>

#include "base/check.h"

struct cleanup_process process;

#define ROW(name, kind, member) SETTING(name, SETTING_##kind, cleanup_settings, member)

static const struct setting settings[] = {
	ROW("queue_directory", STRING, queue_directory),
	ROW("myhostname", STRING, myhostname),
	ROW("mydomain", STRING, mydomain),
	ROW("mail_name", STRING, mail_name),
	ROW("message_drop_headers", STRING, message_drop_headers),
	ROW("undisclosed_recipients_header", STRING, undisclosed_recipients_header),
	ROW("empty_address_recipient", STRING, empty_address_recipient),
	ROW("propagate_unmatched_extensions", STRING, propagate_unmatched_extensions),
	ROW("double_bounce_sender", STRING, double_bounce_sender),
	ROW("append_at_myorigin", BOOL, append_at_myorigin),
	ROW("append_dot_mydomain", BOOL, append_dot_mydomain),
	ROW("always_add_missing_headers", BOOL, always_add_missing_headers),
	ROW("enable_long_queue_ids", BOOL, long_ids),
	ROW("header_size_limit", INT, header_size_limit),
	ROW("message_size_limit", INT, message_size_limit),
	ROW("hopcount_limit", INT, hopcount_limit),
	ROW("queue_minfree", INT, queue_minfree),
	ROW("virtual_alias_expansion_limit", INT, expansion_limit),
	ROW("virtual_alias_recursion_limit", INT, recursion_limit),
	ROW("virtual_alias_address_length_limit", INT, alias_length_limit),
	ROW("bounce_size_limit", INT, bounce_size_limit),
	ROW("journal_segment_size", INT, segment_size),
	ROW("journal_spare_segments", INT, spare_segments),
	ROW("journal_inline_limit", INT, inline_limit),
};

int settings_load(struct conf *conf)
{
	int error = settings_read(conf, settings, ARRAY_LEN(settings), NULL, &process.settings);
	if (error != 0)
		return error;
	struct span words = span_from_cstr(process.settings.propagate_unmatched_extensions), word;
	while (span_token(&words, ", \t\n", &word))
		if (span_equal_nocase(word, SPAN("virtual")))
			process.propagate_virtual = true;
	return 0;
}

struct mail_date clock_date(int64_t ms)
{
	struct tm local;
	time_t seconds = (time_t)(ms / 1000);
	if (localtime_r(&seconds, &local) == NULL)
		return (struct mail_date){.seconds = seconds};
	return (struct mail_date){.seconds = seconds, .zone = (int32_t)(local.tm_gmtoff / 60)};
}
