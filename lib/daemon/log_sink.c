/* Formats finished log lines for file or syslog and writes whole lines with one call, so that the
 * lines of many processes do not mix.
 * SPDX-License-Identifier: ISC */
#include "daemon/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define TAG_MAX 128
#define HOST_MAX 256
/* stamp, host, tag and process */
#define START_MAX (32 + HOST_MAX + TAG_MAX + 16)
#define PRIORITY_MAX 8
#define GATHERED_MAX (16 * 1024)
#define FACILITY_MAIL (2 << 3)

static char sink_tag[TAG_MAX];
static char sink_host[HOST_MAX];
static enum log_sink_kind sink_kind;
static int sink_fd = -1;
static bool sink_lost, sink_copy;
static void (*sink_on_loss)(void);
static pid_t sink_pid;
static atomic_uint sink_form; /* another number when the start of a line may be another */
static bool sink_gathers;
static pthread_t sink_owner; /* the thread whose lines are gathered */
static char gathered[GATHERED_MAX];
static size_t gathered_len;

static int severity(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_DEBUG:
	case LOG_LEVEL_INFO:
		return 6;
	case LOG_LEVEL_WARNING:
		return 4;
	case LOG_LEVEL_ERROR:
		return 3;
	case LOG_LEVEL_FATAL:
	case LOG_LEVEL_PANIC:
		return 2;
	}
	return 6;
}

/* "Nov  2 07:08:09": RFC 3164 section 4.1.2, independent of the locale. */
static void format_time(char *out, size_t size, time_t now)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;
	localtime_r(&now, &tm);
	snprintf(out, size, "%.3s %2d %02d:%02d:%02d", months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour,
		tm.tm_min, tm.tm_sec);
}

/* "postfix/cleanup", or "postfix/pickup" where the line asks for it (log_set_program). */
static void format_tag(char out[TAG_MAX])
{
	const char *program = log_program();
	const char *slash = strrchr(sink_tag, '/');
	int keep = slash == NULL ? 0 : (int)(slash - sink_tag) + 1;
	if (program == NULL)
		snprintf(out, TAG_MAX, "%s", sink_tag);
	else
		snprintf(out, TAG_MAX, "%.*s%s", keep, sink_tag, program);
}

static void write_bytes(const char *bytes, size_t len)
{
	int fd = sink_fd >= 0 ? sink_fd : STDERR_FILENO;
	ssize_t written = 1;
	for (size_t done = 0; done < len && written > 0; done += (size_t)written)
		written = sink_kind == LOG_SINK_SYSLOG
			? send(fd, bytes + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT)
			: write(fd, bytes + done, len - done);
	if (written < 0 && errno != EAGAIN && errno != ENOBUFS && errno != ENOSPC && !sink_lost) {
		sink_lost = true;
		if (sink_on_loss != NULL)
			sink_on_loss();
	}
}

void log_sink_flush(void)
{
	size_t len = gathered_len;
	gathered_len = 0;
	if (len > 0)
		write_bytes(gathered, len);
}

void log_sink_gather(bool gather)
{
	log_sink_flush();
	sink_gathers = gather;
	sink_owner = pthread_self();
}

/* What may be the last words of this process is written at once. */
static bool may_wait(enum log_level level)
{
	return sink_gathers && sink_kind != LOG_SINK_SYSLOG && level < LOG_LEVEL_ERROR &&
		pthread_equal(sink_owner, pthread_self());
}

/* "Nov  2 07:08:09 host postfix/cleanup[17]: ", for syslog without the host. Made anew when it is
 * another second, another program or another form. */
static size_t line_start(char out[START_MAX])
{
	static _Thread_local struct {
		time_t second;
		const char *program;
		unsigned form;
		size_t len;
		char text[START_MAX];
	} last;
	time_t now = time(NULL);
	unsigned form = sink_form;
	if (now != last.second || log_program() != last.program || form != last.form) {
		char stamp[32], tag[TAG_MAX];
		format_time(stamp, sizeof stamp, now);
		format_tag(tag);
		const char *host = sink_kind == LOG_SINK_SYSLOG ? "" : sink_host;
		int n = snprintf(last.text, sizeof last.text, "%s %s%s%s[%d]: ", stamp, host,
			host[0] == '\0' ? "" : " ", tag, (int)sink_pid);
		last.len = n < 0 || (size_t)n >= sizeof last.text ? 0 : (size_t)n;
		last.second = now;
		last.program = log_program();
		last.form = form;
	}
	memcpy(out, last.text, last.len);
	return last.len;
}

static void write_line(enum log_level level, const char *line, size_t len)
{
	char out[PRIORITY_MAX + START_MAX + LOG_LINE_MAX + 1];
	size_t n = 0;
	if (sink_kind == LOG_SINK_SYSLOG)
		n = (size_t)snprintf(out, PRIORITY_MAX, "<%d>", FACILITY_MAIL | severity(level));
	n += line_start(out + n);
	if (len > LOG_LINE_MAX)
		len = LOG_LINE_MAX;
	memcpy(out + n, line, len);
	n += len;
	if (sink_kind != LOG_SINK_SYSLOG)
		out[n++] = '\n';
	if (!may_wait(level)) {
		if (sink_gathers && pthread_equal(sink_owner, pthread_self()))
			log_sink_flush();
		write_bytes(out, n);
		return;
	}
	if (gathered_len + n > sizeof gathered)
		log_sink_flush();
	memcpy(gathered + gathered_len, out, n);
	gathered_len += n;
}

static void sink(enum log_level level, const char *line, size_t len)
{
	int error = errno; /* a caller may print it in two lines */
	if (sink_copy)
		fprintf(stderr, "%s: %.*s\n", sink_tag, (int)len, line);
	if (!(sink_copy && sink_kind == LOG_SINK_STDERR))
		write_line(level, line, len);
	errno = error;
}

static void note_pid(void)
{
	sink_pid = getpid();
	gathered_len = 0;
	sink_form++;
}

void log_sink_open(const char *tag, enum log_sink_kind kind, int fd_take)
{
	/* Behind chroot the C library would look for /etc/localtime again, and find UTC. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	snprintf(sink_tag, sizeof sink_tag, "%s", tag);
	if (gethostname(sink_host, sizeof sink_host - 1) < 0 || sink_host[0] == '\0')
		snprintf(sink_host, sizeof sink_host, "localhost");
	sink_host[strcspn(sink_host, ".")] = '\0';
	sink_kind = kind;
	sink_fd = fd_take;
	if (sink_pid == 0)
		pthread_atfork(log_sink_flush, NULL, note_pid);
	note_pid();
	log_set_sink(sink);
}

void log_sink_replace(enum log_sink_kind kind, int fd_take)
{
	log_sink_flush();
	if (sink_fd >= 0 && sink_fd != fd_take && sink_fd > STDERR_FILENO)
		close(sink_fd);
	sink_kind = kind;
	sink_fd = fd_take;
	sink_lost = false;
	sink_form++;
}

void log_sink_moved(int fd)
{
	sink_fd = fd;
}

void log_sink_on_loss(void (*lost)(void))
{
	sink_on_loss = lost;
}

void log_sink_copy_to_stderr(bool copy)
{
	sink_copy = copy;
}

int log_sink_open_file(const char *path)
{
	int fd;
	if (strcmp(path, "/dev/stdout") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else if (strcmp(path, "/dev/stderr") == 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	return fd < 0 ? -errno : fd;
}

int log_sink_open_syslog(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}
