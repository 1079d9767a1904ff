/* The order of events in the life of a process: arguments, log, configuration, files of root,
 * prepare, walls, loop, ready, serve, stop.
 * SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf_pool.h"
#include "base/table.h"
#include "daemon/daemon_private.h"
#include "sys/allocator.h"
#include "sys/fd.h"
#include "sys/file_access.h"

#define SIGNAL_STOP_MS 30000
#define SLICE_NS (3 * 1000 * 1000ULL)

/* As sched_setattr(2) takes it, the first version; glibc has it from 2.41 on. */
struct schedule_attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime_ns; /* of SCHED_OTHER and SCHED_BATCH: the slice, kept to from Linux 6.12 on */
	uint64_t deadline_ns;
	uint64_t period_ns;
};

struct daemon_state daemon_state;

static void stop_on_signal(int signo)
{
	(void)signo;
	serve_stop(SIGNAL_STOP_MS);
}

static void open_log(const char *syslog_name)
{
	const struct daemon_arguments *arguments = &daemon_state.arguments;
	char tag[128];
	snprintf(tag, sizeof tag, "%s/%s", syslog_name,
		arguments->program == NULL ? daemon_state.spec->name : arguments->program);
	int fd = arguments->log_kind == LOG_SINK_STDERR ? STDERR_FILENO : CONTROL_LOG_FD;
	log_sink_open(tag, arguments->log_kind, fd);
	if (arguments->verbose)
		log_set_level(LOG_LEVEL_DEBUG);
}

static int load_configuration(void)
{
	const struct daemon_arguments *arguments = &daemon_state.arguments;
	char *error = NULL;
	daemon_state.conf = conf_load(arguments->config_dir, arguments->service, arguments->overrides,
		arguments->override_count, &error);
	if (daemon_state.conf == NULL) {
		open_log("postfix");
		log_fatal(NULL, "%s", error);
		free(error);
		return -EINVAL;
	}
	open_log(conf_get(daemon_state.conf, "syslog_name"));
	return 0;
}

static int prepare(void)
{
	int error = link_open_private_files();
	if (error != 0) {
		log_fatal(NULL, "master does not hand over files: %s", strerror(-error));
		return error;
	}
	if (daemon_state.spec->maps != NULL)
		daemon_state.spec->maps();
	if (daemon_state.spec->prepare != NULL)
		error = daemon_state.spec->prepare(daemon_state.conf);
	if (error != 0)
		log_fatal(NULL, "cannot start: %s", strerror(-error));
	if (error == 0)
		error = link_tell_watched();
	return error;
}

static void run_start(void *arg)
{
	(void)arg;
	daemon_state.spec->start();
	daemon_work_end();
}

static int start_loop(void)
{
	int error = task_loop_open();
	if (error != 0)
		return error;
	task_on_signal(SIGTERM, stop_on_signal);
	link_start();
	if (daemon_state.spec->start != NULL) {
		daemon_work_begin();
		if (task_spawn("start", run_start, NULL, 0) == NULL)
			return -ENOMEM;
	}
	return serve_start();
}

static void set_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN); /* a ^C in start-fg goes to master, which stops us in order */
}

/* What master handed over must not reach a command that a worker runs. */
static void close_on_exec(void)
{
	int end = CONTROL_LISTEN_FD + (int)daemon_state.arguments.listen_count;
	for (int fd = CONTROL_FD; fd < end; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* PRIV: execve() made the process debuggable for its uid again, and that may be a person's
 * (workers) or shared with other rooms: nobody but root shall read keys and mail out of it. There
 * is no core then either. An ordinary user's instance has one uid anyway and stays open to
 * debuggers. */
static void hide_memory(void)
{
	if (daemon_state.arguments.from_root && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warning(NULL, "cannot hide the memory of this process: %s", strerror(errno));
}

/* A message passes through many short steps, and who hands it on has often somebody else to tell or
 * an answer to write: let it go on until it waits, instead of putting it off for the one it wakes
 * (6 to 12 % less CPU a message). A client on this host, though, whose slice is shorter, goes on
 * at once and is back with its next command before this process has gone to sleep (Linux 6.12 on;
 * 12 % with one session). On a machine whose CPUs are all busy a step may begin some milliseconds
 * later. What an administrator has chosen stays, and a person's command is scheduled as any. */
static void let_others_finish(void)
{
	struct schedule_attributes mine = {.size = sizeof mine};
	if (sched_getscheduler(0) != SCHED_OTHER ||
		syscall(SYS_sched_getattr, 0, &mine, sizeof mine, 0) != 0)
		return;
	mine.size = sizeof mine;
	mine.policy = SCHED_BATCH;
	mine.flags = SCHED_FLAG_RESET_ON_FORK;
	mine.runtime_ns = SLICE_NS;
	(void)syscall(SYS_sched_setattr, 0, &mine, 0);
}

static void seed_tables(void)
{
	uint8_t key[16];
	if (getrandom(key, sizeof key, 0) == (ssize_t)sizeof key)
		table_seed(key);
}

/* What reading the configuration took, or a busy time: a worker lives long and small. */
static void give_memory_back(void)
{
	buf_pools_drop();
	(void)malloc_trim(0);
}

int daemon_main(const struct daemon_spec *spec, int argc, char **argv)
{
	struct stat st;
	daemon_state.spec = spec;
	if (fstat(CONTROL_FD, &st) < 0 || !S_ISSOCK(st.st_mode) ||
		daemon_arguments_parse(argc, argv, &daemon_state.arguments) != 0 ||
		spec->is_worker != daemon_is_worker()) {
		fprintf(stderr, "%s: this program is run by master; see tambo(8)\n", spec->name);
		return EXIT_FAILURE;
	}
	umask(077);
	allocator_set_up();
	if (spec->is_worker)
		allocator_keep_small();
	hide_memory();
	close_on_exec();
	let_others_finish();
	set_signals();
	seed_tables();
	if (load_configuration() != 0 || prepare() != 0 || walls_close() != 0)
		return EXIT_FAILURE;
	int error = start_loop();
	if (error == 0) {
		give_memory_back();
		if (spec->is_worker)
			task_loop_on_rest(give_memory_back);
		link_send_ready();
		log_sink_gather(true);
		task_loop_on_turn(log_sink_flush);
		error = task_loop_run();
		log_sink_gather(false);
	}
	if (error != 0)
		log_fatal(NULL, "cannot run: %s", strerror(-error));
	return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

struct conf *daemon_conf(void)
{
	return daemon_state.conf;
}

const char *daemon_service(void)
{
	return daemon_state.arguments.service == NULL ? "" : daemon_state.arguments.service;
}

enum daemon_role daemon_role(void)
{
	return daemon_state.arguments.role;
}

bool daemon_is_worker(void)
{
	return daemon_role() != DAEMON_SERVICE;
}

bool daemon_is_stopping(void)
{
	return daemon_state.stopping;
}

int daemon_read_file(const char *path, size_t max, struct buf *out)
{
	int fd = file_open_read(path);
	if (fd < 0)
		return fd;
	struct buf content = BUF_INIT(max);
	int error = fd_read_all(fd, &content);
	close(fd);
	if (error == 0)
		buf_append(out, buf_span(&content));
	buf_wipe(&content);
	return error != 0 ? error : out->overflow ? -EFBIG : 0;
}
