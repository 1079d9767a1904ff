/* An empty queue directory for each test of the queue.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_QUEUE_FIXTURE_H
#define TAMBO_TESTS_QUEUE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "queue/faults.h"
#include "queue/layout.h"

static char directory[64];

static int setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/tambo-queue-XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	queue_faults = NULL;
	return queue_layout_create(directory, NULL);
}

static int teardown(void **state)
{
	(void)state;
	char command[128];
	queue_faults = NULL;
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command);
}

#endif
