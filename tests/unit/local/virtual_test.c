/* Virtual mailboxes of one worker get a message together: what the worker is asked, and what comes
 * of it for each recipient, whatever it answers.
 * SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "local/local.h"
#include "task/task.h"

#define COUNT_MAX 250
#define BASE "/var/tambo-test-mail"

static char folder[] = "/tmp/tambo-virtual-XXXXXX";
static uid_t mail_uid;

static void no_log(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static int setup(void **state)
{
	char path[100], *error = NULL;
	(void)state;
	mail_uid = geteuid() == 0 ? 5000 : geteuid();
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/main.cf", folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	(void)fprintf(file, "myhostname = mail.example.test\nmydomain = example.test\n"
		"mydestination =\nalias_maps =\nvirtual_mailbox_domains = v.test\n"
		"virtual_mailbox_base = " BASE "\n"
		"virtual_mailbox_maps = inline:{ mbox@v.test=mbox @v.test=box/ }\n"
		"virtual_minimum_uid = 1\nvirtual_uid_maps = static:%u\nvirtual_gid_maps = static:%u\n",
		(unsigned)mail_uid, (unsigned)mail_uid);
	assert_int_equal(fclose(file), 0);
	struct conf *conf = conf_load(folder, "local", NULL, 0, &error);
	assert_non_null(conf);
	(void)unlink(path);
	(void)rmdir(folder);
	log_set_sink(no_log);
	return local_prepare(conf);
}

/* --- a worker that does as it is told --- */

enum manner { WELL, ONE_FAILS, DIES, ONE_TOO_FEW };

struct worker {
	struct task *task;
	int fd;
	enum manner manner;
	size_t batches[10], batch_count;  /* recipients of each */
	size_t singles, repeated;         /* of singles: not as a first attempt */
	size_t bytes;                     /* of content */
};

static void answer_batch(struct worker *worker, struct channel *channel,
	const struct local_batch *batch)
{
	static struct local_batch_outcome outcomes[LOCAL_BATCH_MAX];
	struct local_batch_done done = {.outcomes = outcomes, .outcome_count = batch->item_count,
		.flush_fd = -1};
	worker->batches[worker->batch_count++] = batch->item_count;
	worker->bytes += batch->content.len;
	for (size_t i = 0; i < batch->item_count; i++)
		outcomes[i] = (struct local_batch_outcome){.result = LOCAL_DELIVERED,
			.dsn = SPAN("2.0.0"), .text = SPAN("delivered to maildir"), .is_durable = true};
	if (worker->manner == ONE_FAILS)
		outcomes[1] = (struct local_batch_outcome){.result = LOCAL_BOUNCED,
			.dsn = SPAN("5.2.2"), .text = SPAN("full"), .is_durable = true};
	if (worker->manner == ONE_TOO_FEW)
		done.outcome_count--;
	(void)channel_send(channel, &local_batch_done_type, &done);
	(void)channel_flush(channel, TASK_FOREVER);
}

static void answer_single(struct worker *worker, struct channel *channel,
	const struct local_work *work)
{
	const struct local_done done = {.result = LOCAL_DELIVERED, .dsn = SPAN("2.0.0"),
		.text = SPAN("delivered to maildir"), .content = SPAN_EMPTY, .is_durable = true,
		.flush_fd = -1};
	worker->singles++;
	worker->repeated += work->first_ms == 0;
	(void)channel_send(channel, &local_done_type, &done);
	(void)channel_flush(channel, TASK_FOREVER);
}

static void run_worker(void *arg)
{
	static const struct message_type *const types[] = {&local_work_type, &local_batch_type};
	struct worker *worker = arg;
	struct channel *channel = channel_new(worker->fd);
	size_t which;
	void *message;
	while (channel_receive(channel, types, 2, TASK_FOREVER, &which, &message) == 0) {
		if (worker->manner == DIES)
			break;
		if (which == 0)
			answer_single(worker, channel, message);
		else
			answer_batch(worker, channel, message);
	}
	channel_free(channel);
	worker->task = NULL;
}

static struct worker *workers[2]; /* of the case */

static void end_workers(void)
{
	for (size_t i = 0; i < ARRAY_LEN(workers); i++) {
		if (workers[i] != NULL && workers[i]->task != NULL)
			task_cancel(workers[i]->task);
		workers[i] = NULL;
	}
}

/* The front has a channel to it; to the one that was made last before others. */
static void make_worker(struct worker *worker, enum manner manner)
{
	const struct worker_key key = {.uid = mail_uid, .gid = geteuid() == 0 ? 5000 : getegid(),
		.tree = SPAN(BASE)};
	int pair[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*worker = (struct worker){.fd = pair[0], .manner = manner};
	worker->task = task_spawn("worker", run_worker, worker, 0);
	assert_non_null(worker->task);
	workers[workers[0] != NULL] = worker;
	worker_give(&key, channel_new(pair[1]));
}

/* --- a request --- */

struct asked {
	size_t count;
	const char *odd; /* address of the first, or NULL */
	struct delivery_outcome outcomes[COUNT_MAX];
	enum delivery_status statuses[COUNT_MAX];
};

static void deliver(void *arg)
{
	static char addresses[COUNT_MAX][32];
	static struct delivery_recipient recipients[COUNT_MAX];
	struct asked *asked = arg;
	struct arena arena;
	for (size_t i = 0; i < asked->count; i++) {
		(void)snprintf(addresses[i], sizeof(addresses[i]), "box%zu@v.test", i);
		if (i == 0 && asked->odd != NULL)
			(void)snprintf(addresses[i], sizeof(addresses[i]), "%s", asked->odd);
		recipients[i] = (struct delivery_recipient){.index = (uint32_t)i,
			.address = span_from_cstr(addresses[i])};
	}
	const struct delivery_request request = {.queue_id = SPAN("0123ABC"),
		.transport = SPAN("virtual"), .sender = SPAN("s@x"), .flags = DELIVERY_FIRST,
		.arrival_ms = 1, .active_ms = 2, .content = SPAN("Subject: x\n\nx\n"), .size = 14,
		.content_fd = -1, .recipients = recipients, .recipient_count = asked->count};
	arena_init(&arena, 1UL << 20);
	deliver_all(&request, request.content, &arena, asked->outcomes);
	for (size_t i = 0; i < asked->count; i++) {
		assert_int_equal(asked->outcomes[i].index, i);
		asked->statuses[i] = (enum delivery_status)asked->outcomes[i].status;
	}
	arena_done(&arena);
	end_workers();
}

static struct asked asked;

static void run(size_t count, const char *odd)
{
	asked = (struct asked){.count = count, .odd = odd};
	assert_non_null(task_spawn("deliver", deliver, &asked, 0));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
}

static void check_statuses(size_t from, enum delivery_status status)
{
	for (size_t i = from; i < asked.count; i++)
		assert_int_equal(asked.statuses[i], status);
}

/* --- cases --- */

static void test_recipients_of_a_request_travel_together(void **state)
{
	struct worker worker;
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	make_worker(&worker, WELL);
	run(50, NULL);
	assert_int_equal(worker.batch_count, 1);
	assert_int_equal(worker.batches[0], 50);
	assert_int_equal(worker.bytes, 14);
	assert_int_equal(worker.singles, 0);
	check_statuses(0, DELIVERY_SENT);
}

static void test_a_batch_has_a_limit(void **state)
{
	struct worker worker;
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	make_worker(&worker, WELL);
	run(COUNT_MAX, NULL);
	assert_int_equal(worker.batch_count, 3);
	assert_int_equal(worker.batches[0], LOCAL_BATCH_MAX);
	assert_int_equal(worker.batches[1], LOCAL_BATCH_MAX);
	assert_int_equal(worker.batches[2], COUNT_MAX - 2 * LOCAL_BATCH_MAX);
	check_statuses(0, DELIVERY_SENT);
}

static void test_a_failure_is_that_recipients_alone(void **state)
{
	struct worker worker;
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	make_worker(&worker, ONE_FAILS);
	run(5, NULL);
	assert_int_equal(asked.statuses[0], DELIVERY_SENT);
	assert_int_equal(asked.statuses[1], DELIVERY_BOUNCED);
	check_statuses(2, DELIVERY_SENT);
}

static void test_unknown_and_mbox_recipients_are_not_in_the_batch(void **state)
{
	struct worker worker;
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	make_worker(&worker, WELL);
	run(5, "nobody@elsewhere.test");
	assert_int_equal(worker.batches[0], 4);
	assert_int_equal(asked.statuses[0], DELIVERY_BOUNCED);
	check_statuses(1, DELIVERY_SENT);
	assert_int_equal(task_loop_open(), 0);
	make_worker(&worker, WELL);
	run(5, "mbox@v.test");
	assert_int_equal(worker.singles, 1);
	assert_int_equal(worker.batches[0], 4);
	assert_int_equal(worker.repeated, 0);
	check_statuses(0, DELIVERY_SENT);
}

/* Whoever is to blame for the death of the worker dies with it alone the next time. */
static void test_after_a_death_recipients_go_one_by_one(void **state)
{
	struct worker first, second;
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	make_worker(&second, WELL);
	make_worker(&first, DIES);
	run(20, NULL);
	assert_int_equal(second.batch_count, 0);
	assert_int_equal(second.singles, 20);
	/* What the first one wrote is to be recognised. */
	assert_int_equal(second.repeated, 20);
	check_statuses(0, DELIVERY_SENT);
}

static void test_an_answer_that_does_not_fit_defers_all(void **state)
{
	struct worker worker;
	(void)state;
	assert_int_equal(task_loop_open(), 0);
	make_worker(&worker, ONE_TOO_FEW);
	run(20, NULL);
	assert_int_equal(worker.singles, 0);
	check_statuses(0, DELIVERY_DEFERRED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recipients_of_a_request_travel_together),
		cmocka_unit_test(test_a_batch_has_a_limit),
		cmocka_unit_test(test_a_failure_is_that_recipients_alone),
		cmocka_unit_test(test_unknown_and_mbox_recipients_are_not_in_the_batch),
		cmocka_unit_test(test_after_a_death_recipients_go_one_by_one),
		cmocka_unit_test(test_an_answer_that_does_not_fit_defers_all),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
