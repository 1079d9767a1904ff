/* cleanup: takes messages in and writes them to the journal. See README.md.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cleanup/intake.h"
#include "cleanup/maildrop.h"
#include "cleanup/qmgr_link.h"
#include "cleanup/serve.h"
#include "cleanup/settings.h"
#include "daemon/daemon.h"
#include "queue/layout.h"

static int prepare(struct conf *conf)
{
	char *problem = NULL;
	int error = settings_load(conf);
	if (error != 0)
		return error;
	process.route = route_open(conf, &problem);
	if (process.route == NULL) {
		log_fatal(NULL, "%s", problem);
		free(problem);
		return -EINVAL;
	}
	const char *directory = process.settings.queue_directory;
	struct queue_writer_options options = {.queue_directory = directory,
		.segment_size = (uint64_t)process.settings.segment_size,
		.spare_segments = (size_t)process.settings.spare_segments,
		.long_ids = process.settings.long_ids,
		.committed = qmgr_link_added,
		.alone = intake_is_alone};
	error = queue_layout_create(directory, NULL);
	if (error == 0)
		error = queue_writer_open(&options, &process.writer);
	if (error == 0)
		error = maildrop_prepare(directory);
	if (error != 0)
		log_fatal(NULL, "queue_directory %s: %s", directory, strerror(-error));
	tzset(); /* reads the zone while its file can be reached */
	return error;
}

static void start(void)
{
	qmgr_link_start();
	maildrop_start();
}

static void stop(void)
{
	maildrop_stop(); /* the channel to qmgr stays: what is committed while sessions end is told
			  */
}

int main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "cleanup",
		.rights = DAEMON_QUEUE,
		.maps = daemon_maps,
		.prepare = prepare,
		.start = start,
		.session = maildrop_poked,
		.serve = cleanup_serve,
		.stop = stop,
	};
	return daemon_main(&spec, argc, argv);
}
