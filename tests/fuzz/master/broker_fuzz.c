/* Whatever any of its processes asks of master: a channel, a worker and a file are given out only
 * where the tables of program.c say so, and to nobody else. The first bytes choose who asks, as
 * what, and the numbers of the message; the rest is its text.
 * SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "master/master.h"

struct master master;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PERSON 1000 /* a uid whose workers run */
#define HEAD 5

/* Column 8, and the name of its service. */
static const char *const names[] = {"smtpd", "cleanup", "qmgr", "smtp", "lmtp", "local", "auth",
	"imapd", "pop3d", "proxymap", "anvil", "pickup", "showq", "dnsblog"};
static const char text[] =
	"compatibility_level = 3.6\nmyhostname = mail.example.test\nqueue_directory = /nowhere\n"
	"smtpd_tls_key_file = /dev/null\nsmtp_tls_key_file = /etc/passwd\n"
	"auth_user_maps = texthash:/etc/passwd, hash:/etc/group\nsmtp_sasl_password_maps = hash:/etc/hosts\n";

#define NAMES (sizeof names / sizeof names[0])

/* One process of each service, and one worker of PERSON where there are workers; the other ends. */
static struct {
	struct process *process;
	int end;
} peers[2 * NAMES];
static size_t peer_count;

static void silence(enum log_level level, const char *line, size_t len)
{
	(void)level;
	(void)line;
	(void)len;
}

static void add_process(struct service *service, enum control_role role, uid_t uid)
{
	int pair[2];
	struct process *process = calloc(1, sizeof *process);
	struct process_group *group = role == CONTROL_ROLE_SERVICE && service->group != NULL
		? service->group : group_new(service, role, uid, uid);
	CHECK(process != NULL);
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	process->source.fd = pair[0];
	process->group = group;
	process->program = service->program;
	process->role = role;
	process->ready = true;
	process->pid = INT32_MAX; /* nobody */
	(void)snprintf(process->service_name, sizeof process->service_name, "%s", service->name);
	list_init(&process->unsent);
	list_append(&group->processes, &process->node);
	list_append(&master.processes, &process->all_node);
	group->running = group->wanted = 1;
	group->start_after = INT64_MAX;
	loop_add(&process->source);
	peers[peer_count].process = process;
	peers[peer_count++].end = pair[1];
}

static void add_service(const char *name, struct conf *conf)
{
	struct service *service = calloc(1, sizeof *service);
	CHECK(service != NULL);
	service->name = name;
	service->program = program_find(name);
	service->conf = conf;
	CHECK(service->program != NULL);
	list_append(&master.services, &service->node);
	if (service->program->room == NULL || service->program->built_in)
		return;
	service->group = group_new(service, CONTROL_ROLE_SERVICE, 0, 0);
	add_process(service, CONTROL_ROLE_SERVICE, 0);
	if (program_file(service->program, true) != NULL)
		add_process(service, CONTROL_ROLE_WORKER, PERSON);
}

static void set_up(void)
{
	char *error = NULL;
	log_set_sink(silence);
	list_init(&master.services);
	list_init(&master.groups);
	list_init(&master.processes);
	list_init(&master.listeners);
	master.log_fd = master.root_fd = master.ready_pipe = -1;
	master.conf = conf_parse("/nowhere", "master", span_from_cstr(text), &error);
	master.is_root = true;
	master.first_valid_uid = 500;
	master.worker_limit = 0; /* none is started here: those that run are given out */
	CHECK(master.conf != NULL && loop_open() == 0);
	for (size_t i = 0; i < NAMES; i++)
		add_service(names[i], master.conf);
}

static const char *room(const struct process *process)
{
	return process->program->room;
}

/* asked: what was sent by asker. Each packet that came out of master is one that it may have. */
static void check_packet(const struct process *asker, const struct control_message *asked,
	const struct process *to, const struct control_message *packet, int fd)
{
	bool service = asker->role == CONTROL_ROLE_SERVICE;
	switch (packet->type) {
	case CONTROL_CONNECTED:
		CHECK(to == asker && packet->id == asked->id && (fd >= 0) == (packet->status == 0));
		break;
	case CONTROL_SERVE:
		CHECK(service && fd >= 0 && strcmp(packet->text, asker->service_name) == 0);
		if (asked->type == CONTROL_CONNECT)
			CHECK(to->role == CONTROL_ROLE_SERVICE && program_may_connect(room(asker), room(to)));
		else
			CHECK(asked->type == CONTROL_WORKER && to->role == CONTROL_ROLE_WORKER &&
				asked->uid == PERSON && asked->gid == PERSON &&
				program_may_have_worker(room(asker), room(to), false));
		break;
	case CONTROL_FILE:
		CHECK(to == asker && asked->type == CONTROL_OPEN);
		CHECK(fd < 0 || (service && !asker->ready && program_may_read(room(asker), asked->text)));
		break;
	case CONTROL_STOP:
		CHECK(to == asker && asked->type == CONTROL_IDLE);
		break;
	default:
		CHECK(false);
	}
}

static void read_all(const struct process *asker, const struct control_message *asked)
{
	struct control_message packet;
	int fd;
	for (size_t i = 0; i < peer_count; i++)
		while (control_receive(peers[i].end, &packet, &fd) == 0) {
			check_packet(asker, asked, peers[i].process, &packet, fd);
			if (fd >= 0)
				close(fd);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t uids[] = {0, 1, 499, 500, PERSON, UINT32_MAX};
	struct control_message message;
	if (size < HEAD || size - HEAD >= CONTROL_TEXT_MAX)
		return 0;
	if (peer_count == 0)
		set_up();
	struct process *asker = peers[data[0] % peer_count].process;
	control_message_init(&message, (enum control_type)(data[1] % 32));
	message.id = data[1];
	message.role = data[2] % 4;
	message.uid = uids[data[3] % 6];
	message.gid = uids[data[4] % 6];
	memcpy(message.text, data + HEAD, size - HEAD);
	/* One that is asked to end would leave its group: that is another story (supervision). */
	if (message.type == CONTROL_IDLE)
		message.id = asker->served + 1;
	asker->ready = data[2] < 128;
	broker_handle(asker, &message);
	read_all(asker, &message);
	asker->ready = true;
	asker->released = asker->stopping = false;
	watch_forget_all();
	return 0;
}
