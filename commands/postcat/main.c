/* postcat(1): shows one queued message: envelope, header, body. Reads journal and ledger directly,
 * so it works whether the server runs or not, for root and the owner of the queue.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "commands/common/queue_client.h"
#include "commands/common/stderr_log.h"
#include "queue/index.h"
#include "queue/queue_id.h"

enum part { PART_ENVELOPE = 1, PART_HEADER = 2, PART_BODY = 4 };

#define CHUNK (256 * 1024)

struct job {
	const char *config_option, *queue_directory;
	unsigned parts;
	bool by_id, verbose, raw;
	char **names;
	int name_count;
	struct queue_index index;
	struct queue_reader *reader;
	const struct queue_entry *entry;
	char path[128];
};

static void print_time(const char *name, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[64] = "";
	if (localtime_r(&seconds, &tm) != NULL)
		strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &tm);
	printf("%s: %s\n", name, text);
}

static void print_attribute(const char *name, struct span value)
{
	if (value.len > 0)
		printf("named_attribute: %s=%.*s\n", name, SPAN_ARGS(value));
}

static bool print_recipient(void *arg, uint32_t index, const struct queue_recipient *recipient)
{
	const struct job *job = arg;
	struct queue_run run = queue_entry_run_at(job->entry, index);
	if (recipient->orcpt.len > 0)
		printf("named_attribute: dsn_orig_rcpt=%.*s\n", SPAN_ARGS(recipient->orcpt));
	if (recipient->notify != 0)
		printf("named_attribute: notify_flags=%u\n", recipient->notify);
	if (recipient->original.len > 0)
		printf("original_recipient: %.*s\n", SPAN_ARGS(recipient->original));
	printf("%s: %.*s\n", run.state == RECIPIENT_DONE ? "done_recipient" : "recipient",
		SPAN_ARGS(recipient->address));
	return true;
}

static int print_envelope(struct job *job, struct queue_message *message)
{
	const struct queue_envelope *envelope = &message->envelope;
	struct queue_cursor cursor = {0};
	size_t count = 1;
	int error = 0;
	printf("*** ENVELOPE RECORDS %s ***\n", job->path);
	printf("message_size: %15" PRIu64 " %15" PRIu64 " %15u %15d %15" PRIu64 " %15d\n",
		envelope->size, message->content_offset, envelope->recipient_count, 0,
		envelope->size, envelope->flags & QUEUE_SMTPUTF8 ? 256 : 0);
	print_time("message_arrival_time", envelope->arrival_ms);
	print_time("create_time", envelope->arrival_ms);
	print_attribute("rewrite_context", envelope->flags & QUEUE_REWRITE_LOCAL ? SPAN("local")
		: SPAN("remote"));
	print_attribute("envelope_id", envelope->envid);
	print_attribute("sasl_method", envelope->sasl_method);
	print_attribute("sasl_username", envelope->sasl_username);
	print_attribute("sasl_sender", envelope->sasl_sender);
	printf("sender: %.*s\n", SPAN_ARGS(envelope->sender));
	print_attribute("log_client_name", envelope->client_name);
	print_attribute("log_client_address", envelope->client_address);
	print_attribute("log_client_port", envelope->client_port);
	print_attribute("log_helo_name", envelope->helo);
	print_attribute("log_protocol_name", envelope->protocol);
	while (error == 0 && count > 0)
		error = queue_message_recipients(job->reader, message, &cursor, 100,
			print_recipient, job, &count);
	return error;
}

/* Where the content stands: in the header, at its blank line, in the body. */
struct walk {
	const struct job *job;
	bool in_body, at_line_start, blank;
};

static void print_text(struct walk *walk, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (walk->at_line_start && !walk->in_body && c == '\n') {
			walk->in_body = true;
			walk->blank = true;
		}
		unsigned part = walk->in_body ? PART_BODY : PART_HEADER;
		/* The blank line belongs to neither when only one is asked for. */
		bool wanted = walk->blank ? (walk->job->parts & (PART_HEADER | PART_BODY)) ==
			(PART_HEADER | PART_BODY) : (walk->job->parts & part) != 0;
		if (wanted && walk->at_line_start && walk->job->verbose)
			fputs("regular_text: ", stdout);
		if (wanted)
			putchar(c);
		walk->blank = false;
		walk->at_line_start = c == '\n';
	}
}

static int print_content(struct job *job, struct queue_message *message)
{
	struct walk walk = {job, false, true, false};
	uint64_t offset = 0;
	while (offset < message->envelope.size) {
		struct buf part = BUF_INIT(CHUNK);
		int error = queue_message_content_part(job->reader, message, offset, CHUNK, &part);
		if (error == 0 && part.len == 0)
			error = -EIO;
		if (error == 0)
			print_text(&walk, buf_span(&part));
		offset += part.len;
		buf_done(&part);
		if (error < 0)
			return error;
	}
	return 0;
}

static int print_message(struct job *job)
{
	struct queue_message message = {0};
	bool markers = job->parts & PART_ENVELOPE;
	int error = queue_message_load(job->reader, &job->entry->position, &message);
	if (error == 0 && markers)
		error = print_envelope(job, &message);
	if (error == 0 && markers && (job->parts & (PART_HEADER | PART_BODY)))
		printf("*** MESSAGE CONTENTS %s ***\n", job->path);
	if (error == 0 && (job->parts & (PART_HEADER | PART_BODY)))
		error = print_content(job, &message);
	if (error == 0 && markers) {
		printf("*** HEADER EXTRACTED %s ***\n", job->path);
		if (message.envelope.flags & QUEUE_8BITMIME)
			print_attribute("encoding", SPAN("8bit"));
		printf("*** MESSAGE FILE END %s ***\n", job->path);
	}
	queue_message_done(&message);
	return error;
}

/* A name is a queue id, or a path that ends in one (deferred/A/A1B2C3). */
static int show_one(struct job *job, const char *name)
{
	struct span id = span_from_cstr(name);
	size_t slash = span_find_last_char(id, '/');
	if (slash != SIZE_MAX)
		id = span_skip(id, slash + 1);
	job->entry = queue_id_is_valid(id) ? queue_index_get(&job->index, id) : NULL;
	if (job->entry == NULL)
		return -ENOENT;
	snprintf(job->path, sizeof job->path, "%s/%s", job->entry->flags & ENTRY_HELD ? "hold"
		: job->entry->next_try_ms == 0 ? "incoming" : "deferred", job->entry->queue_id);
	return print_message(job);
}

static int run(void *arg)
{
	struct job *job = arg;
	queue_index_init(&job->index);
	int error = queue_reader_open(job->queue_directory, &job->reader);
	if (error < 0)
		stderr_log_die("open queue %s: %s", job->queue_directory, strerror(-error));
	error = queue_index_load(&job->index, job->queue_directory, job->reader, NULL);
	if (error < 0)
		stderr_log_die("read queue %s: %s", job->queue_directory, strerror(-error));
	for (int i = 0; i < job->name_count; i++) {
		error = show_one(job, job->names[i]);
		if (error < 0)
			stderr_log_die("open queue file %s: %s", job->names[i], strerror(-error));
	}
	queue_reader_close(job->reader);
	queue_index_done(&job->index);
	return 0;
}

static bool parse(struct job *job, int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "bc:dehnoqrs:v")) > 0;) {
		switch (c) {
		case 'b': job->parts |= PART_BODY; break;
		case 'c': job->config_option = optarg; break;
		case 'e': job->parts |= PART_ENVELOPE; break;
		case 'h': job->parts |= PART_HEADER; break;
		case 'q': job->by_id = true; break;
		case 'r': job->raw = true; break;
		case 'v': job->verbose = true; break;
		case 'd': case 'n': case 'o': case 's': break; /* record types and offsets: Postfix's */
		default: return false;
		}
	}
	if (job->parts == 0)
		job->parts = PART_ENVELOPE | PART_HEADER | PART_BODY;
	job->names = argv + optind;
	job->name_count = argc - optind;
	return job->name_count > 0;
}

int main(int argc, char **argv)
{
	struct job job = {.parts = 0};
	char *error = NULL;
	stderr_log_open("postcat");
	if (!parse(&job, argc, argv))
		stderr_log_die("usage: postcat [-b (body text)] [-c config_dir] [-d (decimal record type)] "
			"[-e (envelope records)] [-h (header text)] [-q (access queue)] [-v] [file(s)...]");
	struct conf *conf = conf_load(job.config_option, "postcat", NULL, 0, &error);
	if (conf == NULL)
		stderr_log_die("%s", error);
	job.queue_directory = conf_get(conf, "queue_directory");
	int status = queue_client_run(run, &job);
	conf_free(conf);
	return status == 0 && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}
