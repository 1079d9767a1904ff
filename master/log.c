/* Where log lines go: maillog_file, or the syslog socket, or standard error when there is neither.
 * Opened here once for all processes.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/span.h"
#include "master/master.h"

static int64_t last_open;
static bool lost;
static bool told; /* that the file cannot be opened */

/* maillog_file_permissions is octal, as Postfix has it. */
static void set_permissions(int fd)
{
	struct stat st;
	struct span text = span_from_cstr(conf_get(master.conf, "maillog_file_permissions"));
	mode_t mode = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '7' || i > 4)
			return;
		mode = mode * 8 + (mode_t)(text.ptr[i] - '0');
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		(void)fchmod(fd, mode);
}

int master_log_open(void)
{
	char tag[128];
	const char *path = conf_get(master.conf, "maillog_file");
	int fd = -1;
	enum log_sink_kind kind = LOG_SINK_STDERR;
	last_open = clock_ms();
	if (path[0] != '\0') {
		fd = log_sink_open_file(path);
		kind = LOG_SINK_FILE;
		if (fd < 0) {
			if (!told)
				log_error(NULL, "cannot open the log file %s: %s", path, strerror(-fd));
			told = true;
			return fd;
		}
		told = false;
		set_permissions(fd);
	} else if ((fd = log_sink_open_syslog()) >= 0) {
		kind = LOG_SINK_SYSLOG;
	} else if (!master.in_foreground) {
		lost = true; /* the syslog daemon may come later */
	}
	if (fd >= 0 || master.log_fd < 0) {
		snprintf(tag, sizeof tag, "%s/master", conf_get(master.conf, "syslog_name"));
		if (master.log_fd >= 0)
			log_sink_replace(kind, fd); /* closes the old one */
		else
			log_sink_open(tag, kind, fd);
		log_sink_on_loss(master_log_lost);
		master.log_kind = kind;
		master.log_fd = fd;
	}
	return 0;
}

/* After a rotation. What cannot be opened now is tried again: the old file may be gone soon. */
void master_log_reopen(void)
{
	lost = false;
	if (master_log_open() == 0)
		processes_send_log();
	else
		lost = true;
}

/* Somebody could not write: the syslog daemon is gone, or was restarted. Tried again by the clock,
 * once a second, until it is back. */
void master_log_lost(void)
{
	lost = true;
}

void master_log_retry(void)
{
	if (!lost || clock_ms() - last_open < 1000)
		return;
	last_open = clock_ms();
	if (conf_get(master.conf, "maillog_file")[0] == '\0') {
		int fd = log_sink_open_syslog();
		if (fd < 0)
			return;
		close(fd); /* it is back: master_log_open takes it */
	}
	master_log_reopen();
}
