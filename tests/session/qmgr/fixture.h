/* qmgr with a queue in a temporary folder, and fakes of everything it talks to: delivery agents
 * that do what the recipient's name says, and a cleanup that takes reports.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_SESSION_QMGR_FIXTURE_H
#define TAMBO_TESTS_SESSION_QMGR_FIXTURE_H

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
#include "base/memory.h"
#include "qmgr/qmgr.h"
#include "queue/large.h"
#include "queue/layout.h"
#include "queue/writer.h"
#include "service/cleanup.h"

#define FAKE_SERIALS ((uint64_t)0x51 << 32)

static struct {
	char folder[64];
	struct conf *conf;
	struct queue_writer *writer;
	void (*story)(void);
	/* what the fakes saw */
	int requests, firsts, recipients, deaths;
	int reports, report_recipients, delay_reports, success_reports;
	int widest, running, retired, copied;
	char last_report_to[200], last_text[500];
	/* how they behave */
	bool refuse_reports, no_agent, hold_checkpoints, drop_checkpoint_channel, slow;
	int die_next; /* this many requests end without an answer */
	uint64_t serial;
	struct task *checkpoint_task;
} fake;

static struct span name_of(struct span address)
{
	return span_head(address, span_find_last_char(address, '@'));
}

/* sent..., defer..., bounce..., silent..., written..., site...: the outcome by the name's
 * beginning. */
static bool decide(const struct delivery_recipient *recipient, struct delivery_outcome *outcome,
	bool *site_failed)
{
	struct span name = name_of(recipient->address);
	*outcome = (struct delivery_outcome){.index = recipient->index, .status = DELIVERY_SENT,
		.dsn = SPAN("2.0.0"), .text = SPAN("taken"), .remote_mta = SPAN_EMPTY,
		.diagnostic = SPAN_EMPTY};
	if (span_starts_with(name, SPAN("silent")))
		return false;
	if (span_starts_with(name, SPAN("defer"))) {
		outcome->status = DELIVERY_DEFERRED;
		outcome->dsn = SPAN("4.2.0");
		outcome->text = SPAN("box is busy");
	} else if (span_starts_with(name, SPAN("bounce"))) {
		outcome->status = DELIVERY_BOUNCED;
		outcome->dsn = SPAN("5.1.1");
		outcome->text = SPAN("no such box");
	} else if (span_starts_with(name, SPAN("site"))) {
		outcome->status = DELIVERY_DEFERRED;
		outcome->dsn = SPAN("4.4.1");
		outcome->text = SPAN("connect: timed out");
		*site_failed = true;
	} else if (span_starts_with(name, SPAN("written"))) {
		outcome->checkpoint = FAKE_SERIALS + ++fake.serial;
	}
	return true;
}

static void serve_request(struct channel *channel, const struct delivery_request *request)
{
	struct delivery_outcome *outcomes =
		memory_zalloc(request->recipient_count + 1, sizeof *outcomes);
	struct delivery_reply reply = {.outcomes = outcomes, .site_text = SPAN("connect: timed out"),
		.site_dsn = SPAN("4.4.1")};
	assert_true(request->size == request->content.len || request->content_fd >= 0);
	if (request->content_fd >= 0)
		close(request->content_fd);
	for (size_t i = 0; i < request->recipient_count; i++)
		reply.outcome_count += decide(&request->recipients[i],
			&outcomes[reply.outcome_count], &reply.site_failed);
	fake.recipients += (int)request->recipient_count;
	channel_send(channel, &delivery_reply_type, &reply);
	channel_flush(channel, task_deadline(1000));
	free(outcomes);
}

static int64_t send_checkpoints(struct channel *channel)
{
	uint64_t told = 0;
	fake.checkpoint_task = task_self();
	while (!fake.drop_checkpoint_channel && !qmgr.stopping) {
		struct delivery_checkpoint checkpoint = {FAKE_SERIALS + fake.serial};
		if (!fake.hold_checkpoints && fake.serial > told) {
			told = fake.serial;
			if (channel_send(channel, &delivery_checkpoint_type, &checkpoint) < 0 ||
				channel_flush(channel, task_deadline(1000)) < 0)
				break;
		}
		task_sleep(5);
	}
	fake.drop_checkpoint_channel = false;
	return 0;
}

static void agent_run(void *arg)
{
	static const struct message_type *const types[] = {&delivery_request_type,
		&delivery_checkpoint_type};
	struct channel *channel = arg;
	void *message;
	size_t which;
	while (channel_receive(channel, types, 2, TASK_FOREVER, &which, &message) == 0) {
		if (which == 1) {
			send_checkpoints(channel);
			break;
		}
		fake.requests++;
		fake.firsts += (((struct delivery_request *)message)->flags & DELIVERY_FIRST) != 0;
		fake.running++;
		if (fake.running > fake.widest)
			fake.widest = fake.running;
		if (fake.slow)
			task_sleep(20);
		fake.running--;
		if (fake.die_next > 0) {
			fake.die_next--;
			fake.deaths++;
			break;
		}
		serve_request(channel, message);
	}
	channel_free(channel);
}

static void take_report(struct channel *channel, const struct bounce_request *request)
{
	struct cleanup_result result = {
		.status = fake.refuse_reports ? CLEANUP_QUEUE_ERROR : CLEANUP_OK,
		.queue_id = SPAN("BBBBBB1"),
		.code = SPAN_EMPTY,
		.text = SPAN("later")};
	if (!fake.refuse_reports) {
		fake.reports++;
		fake.delay_reports += request->kind == BOUNCE_DELAY;
		fake.success_reports += request->kind == BOUNCE_SUCCESS;
		fake.report_recipients += (int)request->recipient_count;
		snprintf(fake.last_report_to, sizeof fake.last_report_to, "%.*s",
			SPAN_ARGS(request->sender));
		snprintf(fake.last_text, sizeof fake.last_text, "%.*s",
			SPAN_ARGS(request->recipients[0].text));
	}
	channel_send(channel, &cleanup_result_type, &result);
	channel_flush(channel, task_deadline(1000));
}

static void retire(const struct queue_released *released)
{
	if (fake.writer != NULL && released->all_dead && queue_writer_released(fake.writer,
			released->segment, released->dead_bytes) == 1)
		fake.retired++;
}

static void compact(struct channel *channel, const struct queue_compact *request)
{
	struct queue_position places[QUEUE_COMPACT_MAX];
	struct queue_compacted answer = {0, places, request->place_count};
	for (size_t i = 0; i < request->place_count; i++) {
		assert_int_equal(queue_writer_copy(fake.writer, &request->places[i], &places[i]), 0);
		fake.copied++;
	}
	channel_send(channel, &queue_compacted_type, &answer);
	channel_flush(channel, task_deadline(1000));
}

static void cleanup_run(void *arg)
{
	static const struct message_type *const types[] = {&bounce_request_type,
		&queue_released_type, &queue_compact_type};
	struct channel *channel = arg;
	void *message;
	size_t which;
	while (channel_receive(channel, types, 3, TASK_FOREVER, &which, &message) == 0) {
		if (which == 0)
			take_report(channel, message);
		else if (which == 1)
			retire(message);
		else
			compact(channel, message);
	}
	channel_free(channel);
}

static struct channel *fake_connect(const char *service, task_time deadline)
{
	int fds[2];
	(void)deadline;
	bool cleanup = strcmp(service, "cleanup") == 0;
	if (!cleanup && fake.no_agent)
		return NULL;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	task_spawn("fake", cleanup ? cleanup_run : agent_run, channel_new(fds[1]), 0);
	return channel_new(fds[0]);
}

static void fake_give(const char *service, struct channel *channel_take)
{
	(void)service;
	channel_free(channel_take);
}

static void fake_work(void)
{
}

static const char *const base_conf =
	"compatibility_level = 3.6\nmyhostname = mail.example.com\nmydomain = example.com\n"
	"myorigin = example.com\nmydestination = example.com\ninet_interfaces = 127.0.0.1\n"
	"alias_maps =\nauth_user_maps =\nlocal_recipient_maps =\ndefault_transport = fake\n"
	"local_transport = fake:local\nminimal_backoff_time = 300s\nmaximal_backoff_time = 300s\n";

static void fixture_open(const char *more)
{
	struct buf text = BUF_INIT(65536);
	char *error = NULL;
	memset(&fake, 0, sizeof fake);
	wall_offset = 0;
	/* in memory where that is possible: what is tested is order, not the disk */
	snprintf(fake.folder, sizeof fake.folder, "%s/tambo-qmgr-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(fake.folder));
	buf_append_format(&text, "%squeue_directory = %s\n%s", base_conf, fake.folder, more);
	fake.conf = conf_parse("/nowhere", "qmgr", buf_span(&text), &error);
	buf_done(&text);
	assert_non_null(fake.conf);
}

static void fixture_close(void)
{
	char command[200];
	conf_free(fake.conf);
	snprintf(command, sizeof command, "rm -rf %s", fake.folder);
	assert_int_equal(system(command), 0);
}

static void queue_begin(void)
{
	char *error = NULL;
	qmgr.peers = (struct qmgr_peers){fake_connect, fake_give, fake_connect, fake_work, fake_work,
		fake_work};
	int status = qmgr_open(fake.conf, &error);
	if (status < 0)
		fail_msg("%s", error);
	qmgr_start();
	task_sleep(5);
}

static void queue_end(void)
{
	qmgr_stop();
	/* deliveries end by themselves, everybody else by the stop */
	for (int i = 0; i < 200 && task_count() > 1; i++) {
		task_sleep(5);
		housekeeping_close(); /* its channel keeps a fake alive */
	}
	qmgr_close();
}

struct fixture_recipient {
	const char *address;
	uint32_t notify;
};

static void submit(const char *sender, const struct fixture_recipient *recipients, size_t count,
	uint32_t flags, char ret_id[QUEUE_ID_MAX])
{
	struct buf encoded = BUF_INIT(QUEUE_RECIPIENTS_INLINE_MAX);
	struct queue_position position;
	struct span content = SPAN("Subject: x\n\nhello\n");
	if (fake.writer == NULL) {
		struct queue_writer_options options = {.queue_directory = fake.folder,
			.segment_size = 256 * 1024};
		assert_int_equal(queue_writer_open(&options, &fake.writer), 0);
	}
	assert_int_equal(queue_writer_new_id(fake.writer, ret_id), 0);
	for (size_t i = 0; i < count; i++) {
		struct span address = span_from_cstr(recipients[i].address);
		struct queue_recipient item = {address, address, SPAN_EMPTY, recipients[i].notify};
		assert_true(queue_recipient_append(&encoded, &item));
	}
	struct queue_envelope envelope = {.queue_id = span_from_cstr(ret_id),
		.sender = span_from_cstr(sender), .arrival_ms = wall_now(), .size = content.len,
		.flags = flags, .recipient_count = (uint32_t)count, .recipients = buf_span(&encoded)};
	struct span *const empty[] = {&envelope.envid, &envelope.message_id, &envelope.client_name,
		&envelope.client_address, &envelope.client_port, &envelope.helo, &envelope.protocol,
		&envelope.sasl_method, &envelope.sasl_username, &envelope.sasl_sender,
		&envelope.original_queue_id};
	for (size_t i = 0; i < ARRAY_LEN(empty); i++)
		*empty[i] = SPAN_EMPTY;
	assert_int_equal(queue_writer_append(fake.writer, &envelope, content, &position), 0);
	assert_int_equal(intake_scan(position.segment, position.offset + position.length), 0);
	buf_done(&encoded);
}

/* One message with so many recipients: sent0@d0.test, sent1@d1.test ... in the recipient file. */
static inline void submit_many(uint32_t count, unsigned domains, char ret_id[QUEUE_ID_MAX])
{
	struct queue_position position;
	struct recipient_list list;
	struct span content = SPAN("Subject: x\n\nhello\n");
	if (fake.writer == NULL) {
		struct queue_writer_options options = {.queue_directory = fake.folder,
			.segment_size = 256 * 1024};
		assert_int_equal(queue_writer_open(&options, &fake.writer), 0);
	}
	assert_int_equal(queue_writer_new_id(fake.writer, ret_id), 0);
	recipient_list_init(&list, queue_writer_large_directory(fake.writer), ret_id);
	for (uint32_t i = 0; i < count; i++) {
		char text[64];
		snprintf(text, sizeof text, "sent%u@d%u.test", i, i % domains);
		struct span address = span_from_cstr(text);
		struct queue_recipient item = {address, address, SPAN_EMPTY, 0};
		assert_int_equal(recipient_list_add(&list, &item), 0);
	}
	struct queue_envelope envelope = {.queue_id = span_from_cstr(ret_id),
		.sender = SPAN("s@x.test"), .arrival_ms = wall_now(), .size = content.len};
	assert_int_equal(recipient_list_finish(&list, &envelope), 0);
	assert_int_equal(queue_writer_append(fake.writer, &envelope, content, &position), 0);
	recipient_list_done(&list);
	assert_int_equal(intake_scan(position.segment, position.offset + position.length), 0);
}

static void submit_one(const char *sender, const char *recipient, char ret_id[QUEUE_ID_MAX])
{
	struct fixture_recipient one = {recipient, 0};
	submit(sender, &one, 1, 0, ret_id);
}

static struct queue_entry *entry_of(const char *id)
{
	return queue_index_get(&qmgr.index, span_from_cstr(id));
}

static bool wait_gone(const char *id)
{
	for (int i = 0; i < 500 && entry_of(id) != NULL; i++)
		task_sleep(5);
	return entry_of(id) == NULL;
}

/* Until the message is waiting for its next try. */
static bool wait_deferred(const char *id)
{
	for (int i = 0; i < 500; i++) {
		const struct queue_entry *entry = entry_of(id);
		if (entry != NULL && entry->owner == NULL && entry->next_try_ms > 1)
			return true;
		task_sleep(5);
	}
	return false;
}

static void run_story(void *arg)
{
	(void)arg;
	queue_begin();
	fake.story();
	queue_end();
	if (fake.writer != NULL)
		queue_writer_close(fake.writer);
	task_loop_stop();
}

/* Runs story() as a task beside qmgr's own, with more added to main.cf. */
static void play(const char *more, void (*story)(void))
{
	fixture_open(more);
	fake.story = story;
	assert_int_equal(task_loop_open(), 0);
	assert_non_null(task_spawn("story", run_story, NULL, 256 * 1024));
	assert_int_equal(task_loop_run(), 0);
	task_loop_close();
	fixture_close();
}

static inline int run_command(enum queue_action action, const char *argument, bool privileged,
	uint64_t *ret_count)
{
	struct queue_command command = {action, span_from_cstr(argument), SPAN_EMPTY};
	*ret_count = 0;
	return command_run(&command, privileged, ret_count);
}

#endif
