/* main.cf: any text is parsed, every value expanded and read by its type, without a fault.
 * SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/main_cf.h"
#include "conf/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore_line(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static void ignore_told(void *arg, bool is_error, const char *text)
{
	(void)arg;
	(void)is_error;
	(void)text;
}

static void read_value(void *arg, struct span name, struct span value, unsigned line)
{
	struct conf *conf = arg;
	const struct parameter *parameter = parameter_find(name);
	char *text = span_dup_cstr(name);

	(void)value;
	(void)line;
	conf_get(conf, text);
	if (parameter != NULL && parameter->type == PARAMETER_BOOL)
		conf_get_bool(conf, text);
	else if (parameter != NULL && parameter->type == PARAMETER_TIME)
		conf_get_time(conf, text);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *error = NULL;
	struct conf *conf;
	struct buf reason = BUF_INIT(4096);

	log_set_sink(ignore_line);
	conf = conf_parse("/nonexistent", "svc", span_new(data, size), &error);
	if (conf != NULL) {
		struct main_cf_visitor visitor = {conf, read_value, NULL};
		main_cf_parse(span_new(data, size), &visitor, &reason);
		/* It reads the defaults of all parameters: not for each input. */
		if (crc32c(0, data, size) % 16 == 0)
			conf_check(conf, NULL, ignore_told, NULL);
	}
	conf_free(conf);
	free(error);
	buf_done(&reason);
	return 0;
}
