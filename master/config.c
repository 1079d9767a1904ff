/* main.cf and master.cf become services. A new set is made beside the one in force and takes its
 * place only when all of it is usable.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "master/master.h"

#define PROCESSES_PER_SERVICE_MAX 16
#define SPARE_DESCRIPTORS 200

/* Services that rooms ask for and that a Postfix master.cf does not have. */
static const char *const implicit[] = {"cleanup", "qmgr", "auth", "anvil", "proxymap"};

static struct service *find_in(struct list_node *services, const char *name)
{
	LIST_FOREACH(node, services) {
		struct service *service = LIST_ENTRY(node, struct service, node);
		bool reachable = service->line == NULL || service->line->type != MASTER_INET;
		if (reachable && strcmp(service->name, name) == 0)
			return service;
	}
	return NULL;
}

static struct service *find_room_in(struct list_node *services, const char *room)
{
	LIST_FOREACH(node, services) {
		struct service *service = LIST_ENTRY(node, struct service, node);
		if (service->host == NULL && service->program->room != NULL &&
			!service->program->built_in && strcmp(service->program->room, room) == 0)
			return service;
	}
	return NULL;
}

struct service *service_find(const char *name)
{
	return find_in(&master.services, name);
}

struct service *service_find_room(const char *room)
{
	return find_room_in(&master.services, room);
}

static void service_free(struct service *service)
{
	list_remove(&service->node);
	conf_free(service->conf);
	free(service);
}

static void services_free(struct list_node *services)
{
	LIST_FOREACH(node, services)
		service_free(LIST_ENTRY(node, struct service, node));
}

static struct service *service_new(struct list_node *services, const char *name,
	const struct program *program, const struct master_service *line)
{
	char *error = NULL;
	struct service *service = NEW(struct service);
	service->name = name;
	service->program = program;
	service->line = line;
	service->conf = conf_load(master.config_dir, name, line == NULL ? NULL : line->overrides,
		line == NULL ? 0 : line->override_count, &error);
	if (service->conf == NULL) {
		log_fatal(NULL, "service %s: %s", name, error);
		free(error);
		free(service);
		return NULL;
	}
	list_append(services, &service->node);
	return service;
}

static bool has_program_file(struct conf *conf, const char *room)
{
	char path[4096];
	int n = snprintf(path, sizeof path, "%s/%s", conf_get(conf, "daemon_directory"), room);
	return n > 0 && (size_t)n < sizeof path && access(path, X_OK) == 0;
}

static int add_lines(struct list_node *services, const struct master_cf *master_cf)
{
	for (size_t i = 0; i < master_cf->count; i++) {
		const struct master_service *line = &master_cf->services[i];
		const struct program *program = program_find(line->program);
		if (program == NULL || (program->flags & PROGRAM_MISSING)) {
			log_warning(NULL, "%s/master.cf, line %u: service %s: program \"%s\" is %s: left out",
				master.config_dir, line->line, line->name, line->program,
				program == NULL ? "unknown" : program->note);
			continue;
		}
		if (service_new(services, line->name, program, line) == NULL)
			return -EINVAL;
	}
	return 0;
}

static int add_implicit(struct list_node *services, struct conf *conf)
{
	for (size_t i = 0; i < sizeof implicit / sizeof implicit[0]; i++) {
		const struct program *program = program_find(implicit[i]);
		if (find_in(services, implicit[i]) != NULL || !has_program_file(conf, program->room))
			continue;
		if (service_new(services, implicit[i], program, NULL) == NULL)
			return -EINVAL;
	}
	return 0;
}

static void join_host(struct service *service, struct service *host)
{
	service->host = host;
	for (size_t i = 0; i < service->listener_count; i++)
		if (host->listener_count < SERVICE_LISTENERS_MAX)
			host->listeners[host->listener_count++] = service->listeners[i];
}

/* Built-in services, and a second line of what can be there only once, are served by another. */
static void find_hosts(struct list_node *services)
{
	LIST_FOREACH(node, services) {
		struct service *service = LIST_ENTRY(node, struct service, node);
		const struct program *program = service->program;
		if (program->room == NULL)
			continue;
		struct service *host = find_room_in(services, program->room);
		if (host == NULL || host == service)
			continue;
		if (program->built_in || (program->flags & PROGRAM_SINGLE))
			join_host(service, host);
	}
}

static size_t processor_count(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 1;
	int count = CPU_COUNT(&set);
	return count < 1 ? 1 : count > PROCESSES_PER_SERVICE_MAX ? PROCESSES_PER_SERVICE_MAX
								 : (size_t)count;
}

/* maxproc caps sessions, as each of Postfix's processes serves one; postscreen's is always 1. */
static void count_processes(struct service *service, size_t *ret_count)
{
	struct rlimit files;
	const struct program *program = service->program;
	int64_t limit = service->line == NULL ? -1 : service->line->process_limit;
	size_t count = (program->flags & PROGRAM_PER_CORE) ? processor_count() : 1;
	bool counts = limit > 0 && (program->flags & PROGRAM_LISTENS) &&
		!(program->flags & PROGRAM_SINGLE) && strcmp(program->name, "postscreen") != 0;
	if (counts && (size_t)limit < count)
		count = (size_t)limit;
	if (counts)
		service->session_limit = ((size_t)limit + count - 1) / count;
	/* Two descriptors a session: the client, and whom it is handed to. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
		files.rlim_cur > 2 * SPARE_DESCRIPTORS) {
		size_t most = (size_t)(files.rlim_cur - SPARE_DESCRIPTORS) / 2;
		if (service->session_limit == 0 || service->session_limit > most)
			service->session_limit = most;
	}
	*ret_count = count;
}

static void make_groups(struct list_node *services)
{
	LIST_FOREACH(node, services) {
		struct service *service = LIST_ENTRY(node, struct service, node);
		size_t count;
		if (service->host != NULL || service->program->room == NULL || service->program->built_in)
			continue;
		count_processes(service, &count);
		service->group = group_new(service, CONTROL_ROLE_SERVICE, 0, 0);
		/* What nobody can reach from outside runs when it is first asked for. */
		bool at_start = (service->program->flags & PROGRAM_AT_START) && service->line != NULL;
		if (strcmp(service->program->room, "cleanup") == 0 ||
			strcmp(service->program->room, "qmgr") == 0)
			at_start = true;
		service->group->wanted = at_start ? count : 0;
	}
}

static int open_listeners(struct list_node *services)
{
	int result = 0;
	LIST_FOREACH(node, services) {
		int error = listen_open(LIST_ENTRY(node, struct service, node));
		if (error != 0)
			result = error;
	}
	return result;
}

/* The configuration in force keeps its sockets; those opened for the failed one are closed. */
static void undo_listeners(void)
{
	LIST_FOREACH(node, &master.services) {
		struct service *service = LIST_ENTRY(node, struct service, node);
		for (size_t i = 0; i < service->listener_count; i++)
			service->listeners[i]->generation = master.generation;
	}
	listen_close_unused();
}

static int make_services(struct list_node *services, struct conf *conf, struct master_cf *master_cf)
{
	int error = add_lines(services, master_cf);
	if (error == 0)
		error = add_implicit(services, conf);
	if (error == 0)
		error = open_listeners(services);
	if (error == 0)
		find_hosts(services);
	return error;
}

static void take_services(struct list_node *services)
{
	struct list_node *node;
	watch_forget_all();
	groups_retire();
	services_free(&master.services);
	while ((node = list_pop(services)) != NULL)
		list_append(&master.services, node);
	master.generation++;
	listen_close_unused();
	make_groups(&master.services);
}

int config_load(void)
{
	struct list_node services = LIST_INIT(services);
	char *problem = NULL;
	struct master_cf *master_cf = NULL;
	struct conf *old = master.conf;
	struct conf *conf = conf_load(master.config_dir, "master", NULL, 0, &problem);
	if (conf != NULL)
		master_cf = master_cf_load(master.config_dir, &problem);
	if (master_cf == NULL) {
		log_fatal(NULL, "%s", problem == NULL ? "no memory" : problem);
		free(problem);
		conf_free(conf);
		return -EINVAL;
	}
	if (old == NULL)
		master.conf = conf;
	int error = make_services(&services, conf, master_cf);
	if (error != 0) {
		undo_listeners();
		services_free(&services);
		master_cf_free(master_cf);
		if (old != NULL)
			conf_free(conf);
		return error;
	}
	take_services(&services);
	master_cf_free(master.master_cf);
	if (old != NULL)
		conf_free(old);
	master.conf = conf;
	master.master_cf = master_cf;
	master.worker_limit = (size_t)conf_get_int(conf, "worker_process_limit");
	(void)users_load();
	return 0;
}
