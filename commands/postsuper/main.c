/* postsuper(1): deletes, holds, releases, requeues and expires queued messages, whether the server
 * runs (qmgr does it) or not (straight on the ledger).
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/memory.h"
#include "commands/common/queue_client.h"
#include "commands/common/stderr_log.h"
#include "commands/postsuper/direct.h"
#include "queue/layout.h"
#include "queue/queue_id.h"
#include "task/task.h"

#define ACTIONS_MAX 1000
#define BUSY_TRIES 50

static const struct verb {
	char option;
	enum queue_action action;
	bool releases; /* -f: and out of hold */
	const char *each, *sum;
	const char *queues; /* when none are named */
} verbs[] = {
	{'d', QUEUE_DELETE, false, "removed", "Deleted", ""},
	{'e', QUEUE_EXPIRE, false, "expired", "Force-expired", ""},
	{'f', QUEUE_EXPIRE, true, "expired", "Force-expired", ""},
	{'h', QUEUE_HOLD, false, "placed on hold", "Placed on hold", "incoming,active,deferred"},
	{'H', QUEUE_RELEASE, false, "released from hold", "Released from hold", "hold"},
	{'r', QUEUE_REQUEUE, false, "requeued", "Requeued", ""},
};

struct job {
	const char *config_option, *queue_directory;
	struct conf *conf;
	struct {
		const struct verb *verb;
		const char *argument;
	} actions[ACTIONS_MAX];
	size_t action_count;
	uint64_t counts[ARRAY_LEN(verbs)];
	bool structure;
	struct buf queues;
	bool is_direct;
	struct direct direct;
};

static int open_direct(struct job *job)
{
	int error = -EBUSY;
	/* A server that is just going down may still hold the lock. */
	for (int i = 0; i < BUSY_TRIES && error == -EBUSY; i++) {
		if (i > 0 && task_sleep(100) < 0)
			break;
		error = direct_open(&job->direct, job->queue_directory);
	}
	job->is_direct = error == 0;
	return error;
}

static int send(struct job *job, enum queue_action action, const char *argument,
	const char *queues, uint64_t *ret_count)
{
	struct queue_command command = {action, span_from_cstr(argument), span_from_cstr(queues)};
	if (!job->is_direct) {
		int error = queue_client_command(job->queue_directory, &command, ret_count);
		if (!queue_client_is_down(error))
			return error;
		error = open_direct(job);
		if (error < 0)
			return error;
	}
	return direct_command(&job->direct, &command, ret_count);
}

static int act_on(struct job *job, const struct verb *verb, const char *argument)
{
	const char *queues = job->queues.len > 0 ? buf_cstr(&job->queues) : verb->queues;
	uint64_t count = 0, released = 0;
	bool all = strcmp(argument, "ALL") == 0;
	if (!all && !queue_id_is_valid(span_from_cstr(argument))) {
		log_warning(NULL, "invalid mail queue id: %s", argument);
		return 0;
	}
	int error = send(job, verb->action, argument, queues, &count);
	if (error == 0 && verb->releases)
		error = send(job, QUEUE_RELEASE, argument, queues, &released);
	if (error < 0)
		return error;
	if (!all && count > 0)
		log_info(argument, "%s", verb->each);
	job->counts[verb - verbs] += count;
	return 0;
}

static int act_on_input(struct job *job, const struct verb *verb)
{
	char line[256];
	int error = 0;
	while (error == 0 && fgets(line, sizeof line, stdin) != NULL) {
		struct span id = span_trim(span_from_cstr(line));
		char *text = span_dup_cstr(id);
		if (id.len > 0)
			error = act_on(job, verb, text);
		free(text);
	}
	return error;
}

static int run(void *arg)
{
	struct job *job = arg;
	int error = 0;
	for (size_t i = 0; i < job->action_count && error == 0; i++) {
		const struct verb *verb = job->actions[i].verb;
		const char *argument = job->actions[i].argument;
		error = strcmp(argument, "-") == 0 ? act_on_input(job, verb)
			: act_on(job, verb, argument);
	}
	if (job->is_direct)
		direct_close(&job->direct);
	return error;
}

static void summarize(const struct job *job)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		uint64_t count = job->counts[i];
		if (i > 0 && strcmp(verbs[i].sum, verbs[i - 1].sum) == 0)
			continue;
		if (i + 1 < ARRAY_LEN(verbs) && strcmp(verbs[i].sum, verbs[i + 1].sum) == 0)
			count += job->counts[i + 1];
		if (count > 0)
			log_info(NULL, "%s: %" PRIu64 " message%s", verbs[i].sum, count,
				count == 1 ? "" : "s");
	}
}

static const struct verb *find_verb(int option)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (verbs[i].option == option)
			return &verbs[i];
	return NULL;
}

static bool parse(struct job *job, int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "c:d:e:f:h:H:pr:sSv")) > 0;) {
		const struct verb *verb = find_verb(c);
		if (verb != NULL && job->action_count < ACTIONS_MAX) {
			job->actions[job->action_count].verb = verb;
			job->actions[job->action_count++].argument = optarg;
		} else if (c == 'c') {
			job->config_option = optarg;
		} else if (c == 'p' || c == 's' || c == 'S') {
			job->structure = true;
		} else if (c == 'v') {
			log_set_level(LOG_LEVEL_DEBUG);
		} else {
			return false;
		}
	}
	for (int i = optind; i < argc; i++)
		buf_append_format(&job->queues, "%s%s", job->queues.len > 0 ? "," : "", argv[i]);
	return true;
}

/* Root, or whoever owns the queue (an instance run by an ordinary user). */
static bool is_allowed(const char *queue_directory)
{
	struct stat status;
	return geteuid() == 0 ||
		(stat(queue_directory, &status) == 0 && status.st_uid == geteuid());
}

/* uid and gid of mail_owner, and of setgid_group; false when this host has no such user. */
static bool find_owner(struct conf *conf, struct queue_layout_owner *ret_owner)
{
	const struct passwd *user = getpwnam(conf_get(conf, "mail_owner"));
	if (user == NULL)
		return false;
	*ret_owner = (struct queue_layout_owner){user->pw_uid, user->pw_gid, user->pw_gid};
	const struct group *group = getgrnam(conf_get(conf, "setgid_group"));
	if (group != NULL)
		ret_owner->drop_gid = group->gr_gid;
	return true;
}

/* PRIV: root becomes the owner of the ledger (as a rule mail_owner) for good, before the first byte
 * of the queue is read: what is written must be qmgr's own, and nothing here needs more. */
static void become_owner(const char *queue_directory)
{
	struct buf path = BUF_INIT(4096);
	struct stat owner;
	buf_append_format(&path, "%s/ledger", queue_directory);
	if (lstat(buf_cstr(&path), &owner) < 0)
		stderr_log_die("%s: %s", buf_cstr(&path), strerror(errno));
	buf_done(&path);
	if (setgroups(0, NULL) < 0 || setresgid(owner.st_gid, owner.st_gid, owner.st_gid) < 0 ||
		setresuid(owner.st_uid, owner.st_uid, owner.st_uid) < 0)
		stderr_log_die("cannot become the owner of the queue: %s", strerror(errno));
}

/* The journal needs no fixing by hand: its folders are all there is to it. Without an action
 * Postfix's postsuper does -s and -p. */
static void prepare_queue(const struct job *job)
{
	struct queue_layout_owner owner;
	bool root = geteuid() == 0;
	if (job->structure || job->action_count == 0) {
		if (root && !find_owner(job->conf, &owner))
			stderr_log_die("mail_owner: there is no user %s",
				conf_get(job->conf, "mail_owner"));
		int error = queue_layout_create(job->queue_directory, root ? &owner : NULL);
		if (error < 0)
			stderr_log_die("cannot make the queue's folders: %s", strerror(-error));
	}
	if (root)
		become_owner(job->queue_directory);
}

static void open_conf(struct job *job)
{
	char *error = NULL;
	job->conf = conf_load(job->config_option, "postsuper", NULL, 0, &error);
	if (job->conf == NULL)
		stderr_log_die("%s", error);
	job->queue_directory = conf_get(job->conf, "queue_directory");
	if (!is_allowed(job->queue_directory))
		stderr_log_die("use of this command is reserved for the superuser");
}

int main(int argc, char **argv)
{
	struct job *job = NEW(struct job);
	stderr_log_open("postsuper");
	buf_init(&job->queues, 1000);
	if (!parse(job, argc, argv))
		stderr_log_die("usage: postsuper [-c config_dir] [-d queue_id (delete)] "
			"[-e queue_id (expire)] [-f queue_id (expire and/or un-hold)] "
			"[-h queue_id (hold)] [-H queue_id (un-hold)] [-p (purge temporary files)] "
			"[-r queue_id (requeue)] [-s (structure fix)] [-S (redundant structure fix)]"
			"[-v (verbose)] [queue...]");
	open_conf(job);
	prepare_queue(job);
	int error = 0;
	if (job->action_count > 0)
		error = queue_client_run(run, job);
	if (error < 0)
		stderr_log_die("cannot change the queue: %s", strerror(-error));
	summarize(job);
	return EX_OK;
}
