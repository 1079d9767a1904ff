/* Parameters: bounces, delay warnings and notices to the postmaster.
 * SPDX-License-Identifier: ISC */
#include "conf/parameter_tables.h"

/* clang-format off: one parameter, one row */
static const struct parameter rows[] = {
	ROW(STRING, "2bounce_notice_recipient", "postmaster", ACCEPTED,
		""),
	ROW(BOOL, "backwards_bounce_logfile_compatibility", "yes", ACCEPTED,
		""),
	ROW(STRING, "bounce_notice_recipient", "postmaster", ACCEPTED,
		""),
	ROW(TIME, "bounce_queue_lifetime", "5d", ACCEPTED,
		"", .unit = 'd'),
	ROW(STRING, "bounce_service_name", "bounce", ACCEPTED,
		""),
	ROW(SIZE, "bounce_size_limit", "50000", ACCEPTED,
		""),
	ROW(PATH, "bounce_template_file", "", ACCEPTED,
		""),
	ROW(BOOL, "confirm_delay_cleared", "no", ACCEPTED,
		""),
	ROW(INT, "delay_logging_resolution_limit", "2", ACCEPTED,
		"", .max = INT32_MAX),
	ROW(STRING, "delay_notice_recipient", "postmaster", ACCEPTED,
		""),
	ROW(TIME, "delay_warning_time", "0h", ACCEPTED,
		"", .unit = 'h'),
	ROW(BOOL, "disable_verp_bounces", "no", ACCEPTED,
		""),
	ROW(STRING, "double_bounce_sender", "double-bounce", ACCEPTED,
		""),
	ROW(BOOL, "enable_threaded_bounces", "no", ACCEPTED,
		""),
	ROW(STRING, "error_notice_recipient", "postmaster", ACCEPTED,
		""),
	ROW(LIST, "notify_classes", "resource, software", ACCEPTED,
		""),
	ROW(BOOL, "soft_bounce", "no", ACCEPTED,
		""),
};

PARAMETER_TABLE(bounce,
	"bounces, delay warnings and notices to the postmaster")
