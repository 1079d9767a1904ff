/* See stderr_log.h.
 * SPDX-License-Identifier: ISC */
#include "commands/common/stderr_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

static const char *name = "";

static void write_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)len;
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", name, line);
}

void stderr_log_open(const char *program)
{
	name = program;
	log_set_sink(write_line);
}

void stderr_log_die(const char *format, ...)
{
	struct buf text = BUF_INIT(LOG_LINE_MAX * 4);
	va_list args;

	va_start(args, format);
	buf_append_vformat(&text, format, args);
	va_end(args);
	log_fatal(NULL, "%s", buf_cstr(&text));
	buf_done(&text);
	exit(1);
}
