/* One line per decision, in Postfix's formats. The formatter escapes control bytes (as '?') and
 * caps the line at 2,000 bytes, so a caller may print what a peer sent. Where lines go is the
 * sink's matter: lib/daemon sets syslog or maillog_file; without a sink they go to stderr.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_BASE_LOG_H
#define TAMBO_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR,
	LOG_LEVEL_FATAL, LOG_LEVEL_PANIC };

#define LOG_LINE_MAX 2000

/* line: NUL-terminated, escaped, without a newline, with its "warning: " prefix where
 * it has one. */
typedef void log_sink_fn(enum log_level level, const char *line, size_t len);

void log_set_sink(log_sink_fn *sink);
/* The lowest level that is written; LOG_LEVEL_INFO at start. */
void log_set_level(enum log_level level);
bool log_is_debug(void);

/* Until NULL is set, lines carry this program's name instead of the process's own, where log tools
 * know Postfix's name for what one of our processes does besides (pickup, bounce, error, discard).
 * name: a literal; nothing may wait in between. */
void log_set_program(const char *name);
const char *log_program(void); /* NULL: the process's own */

/* id: queue or session id, put in front as "id: "; NULL for none. */
void log_write(enum log_level level, const char *id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_debug(id, ...)                                                                         \
	(log_is_debug() ? log_write(LOG_LEVEL_DEBUG, id, __VA_ARGS__) : (void)0)
#define log_info(id, ...) log_write(LOG_LEVEL_INFO, id, __VA_ARGS__)
#define log_warning(id, ...) log_write(LOG_LEVEL_WARNING, id, __VA_ARGS__)
#define log_error(id, ...) log_write(LOG_LEVEL_ERROR, id, __VA_ARGS__)
#define log_fatal(id, ...) log_write(LOG_LEVEL_FATAL, id, __VA_ARGS__)
#define log_panic(id, ...) log_write(LOG_LEVEL_PANIC, id, __VA_ARGS__)

#endif
