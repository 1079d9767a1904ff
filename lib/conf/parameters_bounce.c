/* Parameters: bounces, delay warnings and notices to the postmaster.
 * SPDX-License-Identifier: ISC */
#include "conf/parameter_tables.h"

/* clang-format off: one parameter, one row */
static const struct parameter rows[] = {
	ROW(STRING, "2bounce_notice_recipient", "postmaster", IMPLEMENTED,
		"who gets bounces that could not be delivered themselves"),
	ROW(BOOL, "backwards_bounce_logfile_compatibility", "yes", ACCEPTED,
		"bounce log files in an old form; there are none here"),
	ROW(STRING, "bounce_notice_recipient", "postmaster", IMPLEMENTED,
		"who gets copies of bounces, when notify_classes has \"bounce\""),
	ROW(TIME, "bounce_queue_lifetime", "5d", IMPLEMENTED,
		"how long a bounce is tried before it is dropped", .unit = 'd'),
	ROW(STRING, "bounce_service_name", "bounce", ACCEPTED,
		"name of the service that makes bounces; part of cleanup here"),
	ROW(SIZE, "bounce_size_limit", "50000", IMPLEMENTED,
		"how much of the original message a bounce carries"),
	ROW(PATH, "bounce_template_file", "", UNSUPPORTED,
		"file with texts of bounces, in Postfix's form"),
	ROW(BOOL, "confirm_delay_cleared", "no", ACCEPTED,
		"tell the sender too when a delayed message was delivered after all"),
	ROW(INT, "delay_logging_resolution_limit", "2", ACCEPTED,
		"digits behind the point in the delays of the log", .max = INT32_MAX),
	ROW(STRING, "delay_notice_recipient", "postmaster", IMPLEMENTED,
		"who gets copies of delay warnings, when notify_classes has \"delay\""),
	ROW(TIME, "delay_warning_time", "0h", IMPLEMENTED,
		"age of a message at which its sender is warned; 0: never", .unit = 'h'),
	ROW(BOOL, "disable_verp_bounces", "no", ACCEPTED,
		"one bounce per message for senders that asked for one per recipient"),
	ROW(STRING, "double_bounce_sender", "double-bounce", IMPLEMENTED,
		"local part of the sender of notices that must never bounce"),
	ROW(BOOL, "enable_threaded_bounces", "no", UNSUPPORTED,
		"bounces refer to the original by References and In-Reply-To"),
	ROW(STRING, "error_notice_recipient", "postmaster", ACCEPTED,
		"who gets reports of software, resource and protocol problems"),
	ROW(LIST, "notify_classes", "resource, software", IMPLEMENTED,
		"which problems are reported to the postmaster"),
	ROW(BOOL, "soft_bounce", "no", IMPLEMENTED,
		"turn every permanent refusal into a temporary one, for tests of a new configuration"),
};

PARAMETER_TABLE(bounce,
	"bounces, delay warnings and notices to the postmaster")
