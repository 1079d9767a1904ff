/* For tests of cleanup: a queue directory with its main.cf, a journal that is written to, and what
 * was committed to it.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_CLEANUP_FIXTURE_H
#define TAMBO_CLEANUP_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "cleanup/settings.h"
#include "queue/layout.h"

static char directory[64];
static struct queue_position last_position;
static size_t committed;

static void on_commit(void *arg, struct span queue_id, const struct queue_position *position)
{
	(void)arg;
	(void)queue_id;
	last_position = *position;
	committed++;
}

/* more: lines of main.cf. 0: all is there. */
static int fixture_open(const char *more)
{
	char path[128], *problem = NULL;
	snprintf(directory, sizeof directory, "/tmp/tambo-cleanup-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/main.cf", directory);
	FILE *file = fopen(path, "w");
	fprintf(file,
		"compatibility_level = 3.6\nmyhostname = mx.example.test\nmyorigin = example.test\n"
		"mydestination = example.test\nqueue_directory = %s\nvirtual_alias_domains = virt.test\n%s",
		directory, more);
	fclose(file);
	struct conf *conf = conf_load(directory, "cleanup", NULL, 0, &problem);
	if (conf == NULL || settings_load(conf) != 0 || queue_layout_create(directory, NULL) != 0)
		return -1;
	process.route = route_open(conf, &problem);
	if (process.route == NULL)
		fprintf(stderr, "%s\n", problem);
	struct queue_writer_options options = {
		.queue_directory = directory, .segment_size = 2097152, .committed = on_commit};
	return process.route == NULL || queue_writer_open(&options, &process.writer) != 0;
}

static int teardown(void **state)
{
	(void)state;
	char command[128];
	queue_writer_close(process.writer);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command);
}

#endif
