/* Formats, escapes and caps one log line and hands it to the sink.
 * SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"

static void sink_stderr(enum log_level level, const char *line, size_t len)
{
	(void)level;
	fprintf(stderr, "%.*s\n", (int)len, line);
}

static log_sink_fn *current_sink = sink_stderr;
static enum log_level current_level = LOG_LEVEL_INFO;

static const char *current_program;

void log_set_program(const char *name)
{
	current_program = name;
}

const char *log_program(void)
{
	return current_program;
}

void log_set_sink(log_sink_fn *sink)
{
	current_sink = sink == NULL ? sink_stderr : sink;
}

void log_set_level(enum log_level level)
{
	current_level = level;
}

bool log_is_debug(void)
{
	return current_level == LOG_LEVEL_DEBUG;
}

static const char *level_prefix(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_DEBUG:
	case LOG_LEVEL_INFO:
		return "";
	case LOG_LEVEL_WARNING:
		return "warning: ";
	case LOG_LEVEL_ERROR:
		return "error: ";
	case LOG_LEVEL_FATAL:
		return "fatal: ";
	case LOG_LEVEL_PANIC:
		return "panic: ";
	}
	return "";
}

void log_write(enum log_level level, const char *id, const char *format, ...)
{
	char line[LOG_LINE_MAX + 1];
	if (level < current_level)
		return;
	int used = snprintf(line, sizeof line, "%s%s%s", id == NULL ? "" : id, id == NULL ? "" : ": ",
		level_prefix(level));
	if (used < 0 || (size_t)used >= sizeof line)
		used = 0;
	va_list args;
	va_start(args, format);
	int more = vsnprintf(line + used, sizeof line - (size_t)used, format, args);
	va_end(args);
	size_t len = (size_t)used + (more < 0 ? 0 : (size_t)more);
	if (len > LOG_LINE_MAX)
		len = LOG_LINE_MAX;
	for (size_t i = 0; i < len; i++)
		if (ascii_is_control(line[i]))
			line[i] = '?';
	current_sink(level, line, len);
}
