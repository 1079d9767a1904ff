/* A SASL exchange as a client drives it (RFC 4422): the first line is the mechanism, each further
 * one a response; "-" as the first one is no initial response. Nobody who does not know the secret
 * gets in, whatever is said in whichever order.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auth/mechanism.h"
#include "auth/throttle.h"
#include "base/check.h"
#include "base/log.h"
#include "task/task.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "a-long-secret-that-no-mutation-finds"

static const char users[] =
	"ann:{PLAIN}" SECRET ":1001:1001::/home/ann::\n"
	"no:{PLAIN}" SECRET ":1002:1002::/home/no::nologin\n"
	"broken:x\nhashed:{SSHA}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA:1003:1003::/home/hashed::\n";

static struct span input;

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static void set_up(void)
{
	char *error = NULL;
	struct buf text = BUF_INIT(1000);
	int fd = memfd_create("users", 0);
	CHECK(fd >= 0 && write(fd, users, sizeof users - 1) == sizeof users - 1);
	log_set_sink(silence);
	buf_append_format(&text, "compatibility_level = 3.6\nmyhostname = mail.example.test\n"
		"mydomain = example.test\nmyorigin = example.test\nmydestination = example.test\n"
		"alias_maps =\nlocal_recipient_maps =\nhome_mailbox = Maildir/\n"
		"auth_user_maps = passwdfile:/proc/self/fd/%d\n", fd);
	struct conf *conf = conf_parse("/nowhere", "auth", buf_span(&text), &error);
	CHECK(conf != NULL);
	buf_done(&text);
	struct route *route = route_open(conf, &error);
	CHECK(route != NULL);
	struct accounts *accounts = accounts_open(conf, route, &error);
	CHECK(accounts != NULL);
	throttle_configure(0, 0);
	verify_configure(1000, 60000);
	CHECK(mechanism_open(accounts, "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256") == 0);
	task_offload_threads(0);
}

static void run(void *arg)
{
	struct span rest = input, challenge = SPAN_EMPTY;
	struct exchange_request request = {.service = "imap", .mechanism = span_split(&rest, '\n'),
		.remote_address = SPAN("192.0.2.1"), .tls = true};
	struct span response = rest.ptr == NULL ? SPAN("-") : span_split(&rest, '\n');
	bool has_initial = !span_equal(response, SPAN("-"));
	(void)arg;
	throttle_reset();
	struct exchange *exchange = exchange_new(&request);
	CHECK(exchange != NULL);
	enum exchange_status status =
		exchange_step(exchange, has_initial ? &response : NULL, &challenge);
	while (status == EXCHANGE_CONTINUE && rest.ptr != NULL) {
		response = span_split(&rest, '\n');
		status = exchange_step(exchange, &response, &challenge);
	}
	if (status == EXCHANGE_OK)
		CHECK(span_find(input, SPAN(SECRET)) != SIZE_MAX);
	CHECK(exchange_login(exchange).len <= 1024 && exchange_reason(exchange).len <= 512);
	exchange_free(exchange);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	if (!ready)
		set_up();
	ready = true;
	if (size > 20000)
		return 0;
	input = span_new(data, size);
	CHECK(task_loop_open() == 0);
	CHECK(task_spawn("exchange", run, NULL, 0) != NULL);
	CHECK(task_loop_run() == 0);
	task_loop_close();
	return 0;
}
