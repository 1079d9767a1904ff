/* The parameters that qmgr reads.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_QMGR_SETTINGS_H
#define TAMBO_QMGR_SETTINGS_H

#include "conf/conf.h"
#include "qmgr/schedule.h"

struct qmgr_settings {
	int64_t active_limit, recipient_limit, recipient_minimum;
	int64_t minimal_backoff_ms, maximal_backoff_ms, queue_run_delay_ms;
	int64_t queue_lifetime_ms, bounce_lifetime_ms, delay_warning_ms;
	int64_t transport_retry_ms, delivery_timeout_ms, compact_percent;
	const char *queue_directory, *double_bounce_sender, *myorigin, *notify_classes;
	const char *double_bounce_notice, *bounce_notice, *delay_notice;
};

int qmgr_settings_read(struct conf *conf, struct qmgr_settings *ret_settings);
/* limits function of the schedule; arg: struct conf. */
void qmgr_transport_limits(void *arg, const char *transport, struct transport_limits *ret_limits);
/* notify_classes names this class. */
bool qmgr_notifies(const struct qmgr_settings *settings, const char *class);
/* Transports that are built in here: error and retry (program "error" of master.cf, whatever the
 * line is called; "retry" defers), discard (program "discard"). */
enum transport_kind { TRANSPORT_AGENT, TRANSPORT_ERROR, TRANSPORT_RETRY, TRANSPORT_DISCARD };

#endif
