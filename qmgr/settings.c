/* The parameters that qmgr reads, and those that are made from a transport's name.
 * SPDX-License-Identifier: ISC */
#include "qmgr/settings.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/log.h"
#include "conf/master_cf.h"
#include "service/delivery_log.h"

static const struct setting settings[] = {
	SETTING("qmgr_message_active_limit", SETTING_INT, qmgr_settings, active_limit),
	SETTING("qmgr_message_recipient_limit", SETTING_INT, qmgr_settings, recipient_limit),
	SETTING("qmgr_message_recipient_minimum", SETTING_INT, qmgr_settings, recipient_minimum),
	SETTING("minimal_backoff_time", SETTING_TIME, qmgr_settings, minimal_backoff_ms),
	SETTING("maximal_backoff_time", SETTING_TIME, qmgr_settings, maximal_backoff_ms),
	SETTING("queue_run_delay", SETTING_TIME, qmgr_settings, queue_run_delay_ms),
	SETTING("maximal_queue_lifetime", SETTING_TIME, qmgr_settings, queue_lifetime_ms),
	SETTING("bounce_queue_lifetime", SETTING_TIME, qmgr_settings, bounce_lifetime_ms),
	SETTING("delay_warning_time", SETTING_TIME, qmgr_settings, delay_warning_ms),
	SETTING("transport_retry_time", SETTING_TIME, qmgr_settings, transport_retry_ms),
	SETTING("ipc_timeout", SETTING_TIME, qmgr_settings, delivery_timeout_ms),
	SETTING("journal_compact_percent", SETTING_INT, qmgr_settings, compact_percent),
	SETTING("queue_directory", SETTING_STRING, qmgr_settings, queue_directory),
	SETTING("double_bounce_sender", SETTING_STRING, qmgr_settings, double_bounce_sender),
	SETTING("myorigin", SETTING_STRING, qmgr_settings, myorigin),
	SETTING("notify_classes", SETTING_STRING, qmgr_settings, notify_classes),
	SETTING("2bounce_notice_recipient", SETTING_STRING, qmgr_settings, double_bounce_notice),
	SETTING("bounce_notice_recipient", SETTING_STRING, qmgr_settings, bounce_notice),
	SETTING("delay_notice_recipient", SETTING_STRING, qmgr_settings, delay_notice),
};

struct limit_settings {
	int64_t concurrency, initial, cohorts, recipients, rate_delay;
	const char *positive, *negative;
};

static const struct setting limit_settings[] = {
	SETTING("%s_destination_concurrency_limit", SETTING_INT, limit_settings, concurrency),
	SETTING("%s_initial_destination_concurrency", SETTING_INT, limit_settings, initial),
	SETTING("%s_destination_concurrency_failed_cohort_limit", SETTING_INT, limit_settings,
		cohorts),
	SETTING("%s_destination_recipient_limit", SETTING_INT, limit_settings, recipients),
	SETTING("%s_destination_rate_delay", SETTING_TIME, limit_settings, rate_delay),
	SETTING("%s_destination_concurrency_positive_feedback", SETTING_STRING, limit_settings,
		positive),
	SETTING("%s_destination_concurrency_negative_feedback", SETTING_STRING, limit_settings,
		negative),
};

static enum transport_kind kind_of(const char *name, const char *program)
{
	if (strcmp(name, "retry") == 0)
		return TRANSPORT_RETRY;
	if (strcmp(name, "error") == 0 || strcmp(program, "error") == 0)
		return TRANSPORT_ERROR;
	if (strcmp(name, "discard") == 0 || strcmp(program, "discard") == 0)
		return TRANSPORT_DISCARD;
	return TRANSPORT_AGENT;
}

/* What the transport's line of master.cf says. The process limit column is the number of deliveries
 * at once, for an agent that does many in one process. */
static void read_service(struct conf *conf, const char *transport, struct transport_limits *limits)
{
	char *error = NULL;
	struct master_cf *master_cf = master_cf_load(conf_dir(conf), &error);
	limits->process_limit = conf_get_int(conf, "default_process_limit");
	limits->kind = kind_of(transport, "");
	if (master_cf != NULL) {
		const struct master_service *service =
			master_cf_find(master_cf, transport, MASTER_UNIX);
		if (service != NULL && service->process_limit >= 0)
			limits->process_limit = service->process_limit;
		if (service != NULL)
			limits->kind = kind_of(transport, service->program);
		master_cf_free(master_cf);
	}
	free(error);
}

static struct feedback read_feedback(const char *transport, const char *which, const char *text)
{
	struct feedback feedback = {1, FEEDBACK_CONSTANT};
	if (!feedback_parse(span_from_cstr(text), &feedback))
		log_warning(NULL, "%s_destination_concurrency_%s_feedback: bad value \"%s\", "
			"using 1", transport, which, text);
	return feedback;
}

void qmgr_transport_limits(void *arg, const char *transport, struct transport_limits *ret_limits)
{
	struct conf *conf = arg;
	struct limit_settings said = {0};
	/* Unusable values are logged, and their defaults used. */
	(void)settings_read(conf, limit_settings, ARRAY_LEN(limit_settings), transport, &said);
	*ret_limits = (struct transport_limits){
		.concurrency_limit = said.concurrency,
		.initial_concurrency = said.initial > 0 ? said.initial : 1,
		.failed_cohort_limit = said.cohorts,
		.recipient_limit = said.recipients,
		.rate_delay_ms = said.rate_delay,
		.positive = read_feedback(transport, "positive", said.positive),
		.negative = read_feedback(transport, "negative", said.negative),
	};
	read_service(conf, transport, ret_limits);
}

int qmgr_settings_read(struct conf *conf, struct qmgr_settings *ret_settings)
{
	int error = settings_read(conf, settings, ARRAY_LEN(settings), NULL, ret_settings);
	delivery_log_soft_bounce = conf_get_bool(conf, "soft_bounce");
	if (ret_settings->active_limit < 1)
		ret_settings->active_limit = 1;
	if (ret_settings->recipient_limit < 1)
		ret_settings->recipient_limit = 1;
	if (ret_settings->recipient_minimum < 1)
		ret_settings->recipient_minimum = 1;
	if (ret_settings->maximal_backoff_ms < ret_settings->minimal_backoff_ms) {
		log_warning(NULL, "maximal_backoff_time is less than minimal_backoff_time");
		ret_settings->maximal_backoff_ms = ret_settings->minimal_backoff_ms;
	}
	return error;
}

bool qmgr_notifies(const struct qmgr_settings *given, const char *class)
{
	struct span rest = span_from_cstr(given->notify_classes), word;
	while (span_token(&rest, ", \t\r\n", &word))
		if (span_equal(word, span_from_cstr(class)))
			return true;
	return false;
}
