/* sendmail(1): submits a message, or does what its other modes stand for. Also mailq and
 * newaliases, when it is called by those names.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "commands/common/stderr_log.h"
#include "commands/sendmail/message.h"
#include "route/route.h"

void fail(int status, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_fatal(NULL, "%s", text);
	exit(status);
}

char *command_path(struct conf *conf, const char *name)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", conf_get(conf, "command_directory"), name);
	if (access(path, X_OK) == 0)
		return memory_dup_cstr(path);
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	if (n > 0) {
		path[n] = '\0';
		char *slash = strrchr(path, '/');
		char beside[PATH_MAX];
		*slash = '\0';
		int len = snprintf(beside, sizeof beside, "%s/%s", path, name);
		if (len > 0 && (size_t)len < sizeof beside && access(beside, X_OK) == 0)
			return memory_dup_cstr(beside);
	}
	fail(EX_UNAVAILABLE, "%s is not in command_directory (%s)", name,
		conf_get(conf, "command_directory"));
}

/* Becomes another of our commands. first and second may be NULL. */
static _Noreturn void run(struct conf *conf, const struct options *options, const char *name,
	const char *first, const char *second)
{
	char *path = command_path(conf, name), *argv[8];
	size_t n = 0;
	argv[n++] = memory_dup_cstr(name);
	if (options->config_dir != NULL) {
		argv[n++] = memory_dup_cstr("-c");
		argv[n++] = memory_dup_cstr(options->config_dir);
	}
	if (first != NULL)
		argv[n++] = memory_dup_cstr(first);
	if (second != NULL)
		argv[n++] = memory_dup_cstr(second);
	argv[n] = NULL;
	execv(path, argv);
	fail(EX_UNAVAILABLE, "cannot run %s: %s", path, strerror(errno));
}

/* -bv: what would become of each address, as Sendmail prints it. */
static int verify(struct conf *conf, const struct options *options)
{
	struct address_texts addresses = {0};
	struct route_result result;
	char *problem = NULL;
	int status = EX_OK;
	for (int i = 0; i < options->recipient_count; i++)
		addresses_add(&addresses, span_from_cstr(options->recipients[i]));
	if (addresses.count == 0)
		fail(EX_USAGE, "Recipient addresses must be specified on the command line");
	struct route *route = route_open(conf, &problem);
	if (route == NULL)
		fail(EX_CONFIG, "%s", problem);
	route_result_init(&result);
	for (size_t i = 0; i < addresses.count; i++) {
		struct route_verdict verdict;
		struct span address = span_from_cstr(addresses.items[i]);
		route_validate_recipient(route, address, &verdict);
		if (verdict.result == MAP_ERROR ||
			!route_resolve(route, address, SPAN_EMPTY, &result)) {
			printf("%s... cannot be looked up now\n", addresses.items[i]);
			status = EX_TEMPFAIL;
		} else if (verdict.result == MAP_NOT_FOUND) {
			printf("%s... %s\n", addresses.items[i], verdict.text);
			if (status == EX_OK)
				status = EX_NOUSER;
		} else {
			printf("%s... deliverable: mailer %s, host %s, user %s\n",
				addresses.items[i], buf_cstr(&result.transport),
				buf_cstr(&result.nexthop), buf_cstr(&result.recipient));
		}
	}
	route_result_done(&result);
	route_close(route);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	char *problem = NULL;
	stderr_log_open("sendmail");
	options_parse(argc, argv, &options);
	struct conf *conf = conf_load(options.config_dir, "", NULL, 0, &problem);
	if (conf == NULL)
		fail(EX_CONFIG, "%s", problem);
	/* The commands behind us are to read what we read. */
	if (options.config_dir == NULL)
		options.config_dir = getenv("MAIL_CONFIG");
	switch (options.mode) {
	case MODE_SUBMIT:
		message_submit(conf, &options, stdin);
		return EX_OK;
	case MODE_SMTP:
		smtp_stand_alone(conf, &options);
		return EX_OK;
	case MODE_LIST:
		run(conf, &options, "postqueue", "-p", NULL);
	case MODE_ALIASES:
		run(conf, &options, "newaliases", NULL, NULL);
	case MODE_START:
		run(conf, &options, "tambo", "start", NULL);
	case MODE_VERIFY:
		return verify(conf, &options);
	case MODE_FLUSH:
		run(conf, &options, "postqueue", "-f", NULL);
	case MODE_FLUSH_ID:
		run(conf, &options, "postqueue", "-i", options.argument);
	case MODE_FLUSH_SITE:
		run(conf, &options, "postqueue", "-s", options.argument);
	}
	return EX_SOFTWARE;
}
