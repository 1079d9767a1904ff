/* postdrop(1): takes the records of one message on standard input (queue/maildrop.h), checks every
 * one, and stores them as a file in maildrop/. Made to be installed set-group-id setgid_group: it
 * trusts neither its caller, nor its environment, nor its input.
 *
 * DURABLE: it answers 0 (and prints the name) only when file and name are on disk.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/common/stderr_log.h"
#include "conf/conf.h"
#include "map/map.h"
#include "queue/maildrop.h"
#include "sys/fd.h"
#include "sys/pid_file.h"

#define NAME_TRIES 20
#define FILE_NAME_MAX 64

static int maildrop = -1;
static char temporary[FILE_NAME_MAX]; /* "" when there is none */

__attribute__((format(printf, 2, 3))) static _Noreturn void fail(
	int status, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_warning(NULL, "%s", text);
	if (temporary[0] != '\0')
		unlinkat(maildrop, temporary, 0);
	exit(status);
}

static void on_signal(int signo)
{
	if (temporary[0] != '\0')
		unlinkat(maildrop, temporary, 0);
	_exit(signo == SIGXFSZ ? EX_UNAVAILABLE : EX_TEMPFAIL);
}

static bool is_privileged(void)
{
	return getuid() != 0 && (getegid() != getgid() || geteuid() != getuid());
}

/* PRIV: with rights the caller does not have, only configurations that the administrator listed. */
static bool is_listed(const char *dir)
{
	static const char *const lists[] = {
		"alternate_config_directories", "multi_instance_directories"};
	char *problem = NULL;
	struct conf *conf = conf_load(NULL, "", NULL, 0, &problem);
	bool found = false;
	if (conf == NULL)
		fail(EX_CONFIG, "%s", problem);
	for (size_t i = 0; i < 2; i++) {
		const char *value = conf_get(conf, lists[i]);
		struct span words = span_from_cstr(value), word;
		while (span_token(&words, ", \t\n", &word))
			found |= span_equal(word, span_from_cstr(dir));
	}
	conf_free(conf);
	return found;
}

static struct conf *load(const char *dir)
{
	char *problem = NULL;
	if (dir != NULL && is_privileged() && !is_listed(dir))
		fail(EX_NOPERM,
			"%s is not listed in alternate_config_directories or "
			"multi_instance_directories",
			dir);
	struct conf *conf = conf_load(dir, "", NULL, 0, &problem);
	if (conf == NULL)
		fail(EX_CONFIG, "%s", problem);
	return conf;
}

static void check_user(struct conf *conf)
{
	char *problem = NULL, number[32];
	const char *users = conf_get(conf, "authorized_submit_users");
	if (users == NULL || strcmp(users, "static:anyone") == 0)
		return;
	const struct passwd *user = getpwuid(getuid());
	snprintf(number, sizeof number, "%u", (unsigned)getuid());
	struct match_list *list = match_list_open(conf, users, MATCH_STRING, &problem);
	if (list == NULL)
		fail(EX_CONFIG, "authorized_submit_users: %s", problem);
	enum map_result result =
		match_list_check(list, span_from_cstr(user == NULL ? number : user->pw_name));
	match_list_close(list);
	if (result == MAP_ERROR)
		fail(EX_TEMPFAIL, "authorized_submit_users cannot be looked up");
	if (result == MAP_NOT_FOUND)
		fail(EX_NOPERM, "User %s(%u) is not allowed to submit mail",
			user == NULL ? number : user->pw_name, (unsigned)getuid());
}

static int create_temporary(void)
{
	for (int i = 0; i < NAME_TRIES; i++) {
		uint64_t number;
		if (getrandom(&number, sizeof number, 0) != sizeof number)
			break;
		snprintf(temporary, sizeof temporary, "new.%016llx", (unsigned long long)number);
		int fd = openat(maildrop, temporary,
			O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			break;
	}
	int error = errno;
	temporary[0] = '\0';
	fail(EX_TEMPFAIL, "cannot create a file in maildrop: %s", strerror(error));
}

static void write_all(int fd, struct span bytes)
{
	int error = -fd_write_all(fd, bytes);
	if (error != 0)
		fail(error == EFBIG ? EX_UNAVAILABLE : EX_TEMPFAIL, "write error: %s", strerror(error));
}

/* Checks what comes and writes it as it came, record by record. */
static void copy_records(int fd, uint64_t limit)
{
	struct maildrop_decoder decoder = {0};
	struct buf input = BUF_INIT(2 * MAILDROP_RECORD_MAX);
	for (;;) {
		struct maildrop_record record;
		struct span rest = buf_span(&input);
		enum maildrop_result result;
		while ((result = maildrop_next(&decoder, &rest, &record)) == MAILDROP_RECORD)
			if (limit > 0 && decoder.content > limit)
				fail(EX_UNAVAILABLE, "message file too big");
		if (result == MAILDROP_BAD)
			fail(EX_DATAERR, "bad input record");
		write_all(fd, span_head(buf_span(&input), input.len - rest.len));
		buf_consume(&input, input.len - rest.len);
		char *to = buf_reserve(&input, MAILDROP_RECORD_MAX);
		if (to == NULL)
			fail(EX_TEMPFAIL, "out of memory");
		ssize_t n = read(STDIN_FILENO, to, MAILDROP_RECORD_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail(EX_IOERR, "read error: %s", strerror(errno));
		if (n == 0)
			break;
		input.len += (size_t)n;
	}
	if (!maildrop_is_complete(&decoder) || input.len > 0)
		fail(EX_DATAERR, "uid=%u: incomplete input", (unsigned)getuid());
	buf_done(&input);
}

/* maildrop/ need not be readable for our group: then the whole file system is flushed. */
static int flush_name(int fd)
{
	int dir = openat(maildrop, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = dir >= 0 ? fsync(dir) : syncfs(fd);
	if (dir >= 0)
		close(dir);
	return result;
}

/* Flushes and names the file: time and inode make the name, as in Postfix. */
static void finish(int fd, char name[FILE_NAME_MAX])
{
	struct stat status;
	struct timespec now;
	/* The owner of maildrop/ reads it as "other"; nobody else can enter the folder. */
	if (fchmod(fd, 0644) < 0 || fstat(fd, &status) < 0 || fsync(fd) < 0)
		fail(EX_TEMPFAIL, "cannot store the message: %s", strerror(errno));
	for (int i = 0; i < NAME_TRIES; i++) {
		clock_gettime(CLOCK_REALTIME, &now);
		snprintf(name, FILE_NAME_MAX, "%05lX%llX", (unsigned long)now.tv_nsec / 1000,
			(unsigned long long)status.st_ino);
		if (renameat2(maildrop, temporary, maildrop, name, RENAME_NOREPLACE) == 0) {
			temporary[0] = '\0';
			if (flush_name(fd) < 0 || close(fd) < 0)
				fail(EX_TEMPFAIL, "cannot store the message: %s", strerror(errno));
			return;
		}
		if (errno != EEXIST)
			break;
	}
	fail(EX_TEMPFAIL, "cannot name the message: %s", strerror(errno));
}

static void set_signals(void)
{
	static const int ending[] = {SIGINT, SIGQUIT, SIGTERM, SIGXFSZ, SIGHUP, SIGALRM};
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
		signal(ending[i], on_signal);
}

static void warn_when_down(const char *queue_directory)
{
	if (chdir(queue_directory) == 0 && access("pid", X_OK) == 0 && pid_file_holder("pid") == 0)
		log_warning(NULL, "mail system is down -- but message was queued");
}

int main(int argc, char **argv)
{
	const char *dir = NULL;
	char path[PATH_MAX], name[FILE_NAME_MAX];
	int option;
	/* A caller may have closed them: what we open must not become one of them. */
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return EX_OSERR;
	stderr_log_open("postdrop");
	umask(0);
	set_signals();
	while ((option = getopt(argc, argv, "c:rv")) > 0) {
		if (option == 'c')
			dir = optarg;
		else if (option == '?')
			fail(EX_USAGE, "usage: postdrop [-c config_dir] [-rv]");
	}
	struct conf *conf = load(dir);
	check_user(conf);
	const char *queue_directory = conf_get(conf, "queue_directory");
	snprintf(path, sizeof path, "%s/maildrop", queue_directory);
	maildrop = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (maildrop < 0)
		fail(EX_TEMPFAIL, "cannot open %s: %s", path, strerror(errno));
	int64_t limit = conf_get_int(conf, "message_size_limit");
	int fd = create_temporary();
	copy_records(fd, limit < 0 ? 0 : (uint64_t)limit);
	finish(fd, name);
	printf("%s\n", name);
	warn_when_down(queue_directory);
	conf_free(conf);
	(void)fflush(stdout); /* the message is queued, heard or not */
	return EX_OK;
}
