/* The libunbound context, its thread, and the task that collects what the thread has found. See
 * resolve.h.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unbound.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "dns/dns_private.h"

#define SERVER_TEXT_MAX 100
#define QUESTIONS_MAX 10000

struct question {
	struct task_event done;
	bool finished;
	int error;
	struct ub_result *result;
};

static struct {
	struct ub_ctx *context;
	size_t waiting;   /* questions in flight */
	bool collecting;  /* the collecting task lives */
	bool begun;       /* the thread runs */
} resolver;

/* Zones that libunbound would answer itself; mail may well use them inside a house. */
static const char *const plain_zones[] = {"test.", "invalid.", "home.arpa.", "onion.",
	"10.in-addr.arpa.", "168.192.in-addr.arpa.", "254.169.in-addr.arpa.",
	"2.0.192.in-addr.arpa.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa.",
	"8.b.d.0.1.0.0.2.ip6.arpa.", "d.f.ip6.arpa."};

/* Settings that only a configuration file can say, from memory. */
static int load_settings(struct ub_ctx *context)
{
	char path[64];
	int fd = memfd_create("tambo-dns", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	FILE *file = fdopen(fd, "w");
	if (file == NULL) {
		close(fd);
		return -ENOMEM;
	}
	fprintf(file,
		"server:\n\tdo-not-query-localhost: no\n\tunblock-lan-zones: yes\n"
		"\tinsecure-lan-zones: yes\n\tuse-syslog: no\n\tverbosity: 0\n"
		"\tcache-max-ttl: 86400\n\tcache-max-negative-ttl: 300\n"
		"\tmsg-cache-size: 4m\n\trrset-cache-size: 8m\n\tnum-queries-per-thread: 1024\n"
		"\toutgoing-range: 2048\n");
	for (size_t i = 0; i < ARRAY_LEN(plain_zones); i++)
		fprintf(file, "\tlocal-zone: \"%s\" nodefault\n", plain_zones[i]);
	int error = fflush(file) != 0 ? -EIO : 0;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (error == 0 && ub_ctx_config(context, path) != 0)
		error = -EINVAL;
	fclose(file);
	return error;
}

static int add_servers(struct ub_ctx *context, const char *servers)
{
	struct span rest = span_from_cstr(servers), server;
	if (!span_token(&rest, ", \t\r\n", &server)) {
		/* Without the file resolv.conf means: a server on this host. */
		if (ub_ctx_resolvconf(context, NULL) != 0 &&
			ub_ctx_set_fwd(context, "127.0.0.1") != 0)
			return -EINVAL;
		(void)ub_ctx_hosts(context, NULL);
		return 0;
	}
	do {
		if (server.len > SERVER_TEXT_MAX)
			return -EINVAL;
		char *text = span_dup_cstr(server);
		int error = ub_ctx_set_fwd(context, text);
		free(text);
		if (error != 0)
			return -EINVAL;
	} while (span_token(&rest, ", \t\r\n", &server));
	return 0;
}

static void add_trust_anchor(struct ub_ctx *context)
{
	static const char *const files[] = {"/usr/share/dns/root.key", "/var/lib/unbound/root.key"};
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (access(files[i], R_OK) == 0 && ub_ctx_add_ta_file(context, files[i]) == 0)
			return;
}

int dns_open(const char *servers, unsigned flags)
{
	if (resolver.context != NULL)
		return 0;
	struct ub_ctx *context = ub_ctx_create();
	if (context == NULL)
		return -ENOMEM;
	int error = load_settings(context);
	if (error == 0)
		error = add_servers(context, servers);
	if (error == 0 && (flags & DNS_VALIDATE) != 0)
		add_trust_anchor(context);
	/* The thread begins with the first question, so it lives behind the process's walls too. */
	if (error == 0 && ub_ctx_async(context, 1) != 0)
		error = -EINVAL;
	/* Makes libunbound set itself up now, on a full stack, and not in a task's at the first
	 * question. */
	if (error == 0 && ub_ctx_data_remove(context, "nothing.invalid.") != 0)
		error = -EINVAL;
	if (error != 0) {
		ub_ctx_delete(context);
		return error;
	}
	resolver.context = context;
	return 0;
}

void dns_close(void)
{
	if (resolver.context == NULL)
		return;
	task_forget_fd(ub_fd(resolver.context));
	ub_ctx_delete(resolver.context);
	resolver.context = NULL;
	resolver.begun = false;
}

static void finish(void *arg, int error, struct ub_result *result)
{
	struct question *question = arg;
	question->error = error;
	question->result = result;
	question->finished = true;
	resolver.waiting--;
	task_event_signal(&question->done);
}

/* Lives while somebody waits: reads what the thread has found and wakes those it is for. */
static void collect(void *arg)
{
	(void)arg;
	while (resolver.waiting > 0 && resolver.context != NULL) {
		if (task_wait_fd(ub_fd(resolver.context), TASK_READ, task_deadline(1000)) ==
			-ECANCELED)
			break;
		if (resolver.context != NULL)
			ub_process(resolver.context);
	}
	resolver.collecting = false;
}

static bool start_collecting(void)
{
	if (!resolver.collecting)
		resolver.collecting = task_spawn("dns", collect, NULL, 256 * 1024) != NULL;
	return resolver.collecting;
}

static struct dns_answer answer_of(const struct question *question)
{
	const struct ub_result *result = question->result;
	if (question->error != 0 || result == NULL)
		return (struct dns_answer){DNS_TEMP, false, "Host not found, try again"};
	if (result->bogus)
		return (struct dns_answer){DNS_TEMP, false, "DNSSEC validation failed"};
	if (result->havedata)
		return (struct dns_answer){DNS_FOUND, result->secure != 0, "found"};
	if (result->rcode == 3)
		return (struct dns_answer){DNS_NXDOMAIN, result->secure != 0, "Host not found"};
	if (result->rcode == 0)
		return (struct dns_answer){DNS_NODATA, result->secure != 0,
			"Host found but no data record "
			"of requested type"};
	return (struct dns_answer){DNS_TEMP, false, "Host not found, try again"};
}

struct beginning {
	const char *name;
	int type, id, error;
	struct question *question;
};

static void send_question(void *arg)
{
	struct beginning *b = arg;
	b->error = ub_resolve_async(
		resolver.context, b->name, b->type, 1, b->question, finish, &b->id);
}

/* The first question sets libunbound up, which takes more stack than a task has. */
static int begin(struct beginning *beginning)
{
	if (resolver.begun)
		send_question(beginning);
	else
		task_offload(send_question, beginning);
	resolver.begun = true;
	return beginning->error;
}

struct dns_answer dns_ask(const char *name, int type, task_time deadline,
	struct ub_result **ret_result)
{
	const struct dns_answer unavailable = {DNS_TEMP, false, "Host not found, try again"};
	struct question question = {.finished = false};
	struct beginning beginning = {.name = name, .type = type, .question = &question};
	*ret_result = NULL;
	if (resolver.context == NULL || resolver.waiting >= QUESTIONS_MAX || !start_collecting())
		return unavailable;
	task_event_init(&question.done);
	resolver.waiting++; /* before it is sent: the answer must find the collecting task */
	if (begin(&beginning) != 0) {
		resolver.waiting--;
		return unavailable;
	}
	int error = 0;
	while (!question.finished && error == 0)
		error = task_event_wait(&question.done, deadline);
	if (!question.finished) {
		ub_cancel(resolver.context, beginning.id);
		resolver.waiting--;
		return unavailable;
	}
	struct dns_answer answer = answer_of(&question);
	if (answer.status == DNS_FOUND)
		*ret_result = question.result;
	else
		ub_resolve_free(question.result);
	return answer;
}
