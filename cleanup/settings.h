/* The parameters of cleanup, and what the whole process shares.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_SETTINGS_H
#define TAMBO_CLEANUP_SETTINGS_H

#include "conf/conf.h"
#include "mail/date.h"
#include "queue/writer.h"
#include "route/route.h"

struct cleanup_settings {
	const char *queue_directory, *myhostname, *mydomain, *mail_name;
	const char *message_drop_headers, *undisclosed_recipients_header, *empty_address_recipient;
	const char *propagate_unmatched_extensions;
	const char *double_bounce_sender;
	bool append_at_myorigin, append_dot_mydomain, always_add_missing_headers, long_ids;
	int64_t header_size_limit, message_size_limit, hopcount_limit, queue_minfree;
	int64_t expansion_limit, recursion_limit, alias_length_limit;
	int64_t bounce_size_limit, segment_size, inline_limit, spare_segments;
};

struct cleanup_process {
	struct cleanup_settings settings;
	struct route *route;
	struct queue_writer *writer; /* NULL until the journal could be opened */
	bool propagate_virtual;      /* propagate_unmatched_extensions names "virtual" */
};

extern struct cleanup_process process;

/* Reads the parameters; 0 or -errno (logged). */
int settings_load(struct conf *conf);
/* A moment (clock_wall_ms) as a date in the local zone. */
struct mail_date clock_date(int64_t ms);

#endif
