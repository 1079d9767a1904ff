/* What the files parameters_<topic>.c share: the form of a row and the list of topics. Included by
 * those files and parameter.c only.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CONF_PARAMETER_TABLES_H
#define TAMBO_CONF_PARAMETER_TABLES_H

#include "base/check.h"
#include "conf/parameter.h"

/* ROW(type, name, default, status, meaning, .more = ...) */
#define ROW(type_, name_, text_, status_, ...)                                                     \
	ROW_(type_, name_, text_, status_, __VA_ARGS__, .name = name_)
#define ROW_(type_, name_, text_, status_, meaning_, ...)                                          \
	{                                                                                          \
		.type = PARAMETER_##type_, .text = text_, .status = PARAMETER_##status_,           \
		.meaning = meaning_, __VA_ARGS__                                                   \
	}

/* The same where the default is too long for struct parameter. */
#define LONG_ROW(type_, name_, text_, status_, meaning_)                                           \
	ROW(type_, name_, "", status_, meaning_, .long_text = text_)

/* In the order of the manual page. */
#define PARAMETER_TABLES(X)                                                                        \
	X(general)                                                                                 \
	X(install) X(smtpd) X(smtpd_tls) X(smtpd_access) X(postscreen) X(cleanup) X(milter)        \
		X(queue) X(smtp) X(smtp_tls) X(lmtp) X(local) X(bounce) X(imapd_pop3d) X(auth)     \
			X(tls)

#define PARAMETER_TABLE(name_, topic_)                                                             \
	const struct parameter_table parameters_##name_ = {                                        \
		.topic = (topic_), .rows = rows, .count = ARRAY_LEN(rows)};

#define DECLARE_TABLE(name_) extern const struct parameter_table parameters_##name_;
PARAMETER_TABLES(DECLARE_TABLE)
#undef DECLARE_TABLE

#endif
