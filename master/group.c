/* Groups of equal processes: how many there should be, what waits for them, and how long to wait
 * after a crash before the next try.
 * SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "master/master.h"

#define HEALTHY_MS 60000     /* a process that lived so long forgives what was before */
#define FIRST_BACKOFF_MS 100 /* doubled each time, up to service_throttle_time */
#define EXCLUSIVE_STOP_MS 5000
#define REFUSED_EVERY_MS 1000 /* told that often at most */
#define SESSION_STOP_MS (3600 * 1000)

struct process_group *group_new(
	struct service *service, enum control_role role, uid_t uid, gid_t gid)
{
	struct process_group *group = NEW(struct process_group);
	group->service = service;
	group->role = role;
	group->uid = uid;
	group->gid = gid;
	list_init(&group->processes);
	list_init(&group->pending);
	list_append(&master.groups, &group->node);
	return group;
}

static void drop_pending(struct process_group *group)
{
	struct list_node *node;
	while ((node = list_pop(&group->pending)) != NULL) {
		struct pending *pending = LIST_ENTRY(node, struct pending, node);
		close(pending->fd);
		free(pending);
	}
	group->pending_count = 0;
}

static void group_free(struct process_group *group)
{
	drop_pending(group);
	list_remove(&group->node);
	if (group->service->group == group)
		group->service->group = NULL;
	free(group->tree);
	free(group);
}

void group_release(struct process_group *group)
{
	if (group->role != CONTROL_ROLE_SERVICE && group->running == 0 && group->pending_count == 0)
		group_free(group);
}

static void back_off(struct process_group *group)
{
	int64_t most = conf_get_time(master.conf, "service_throttle_time");
	group->backoff_ms = group->backoff_ms == 0 ? FIRST_BACKOFF_MS : group->backoff_ms * 2;
	if (group->backoff_ms > most)
		group->backoff_ms = most;
	group->start_after = clock_ms() + group->backoff_ms;
}

void group_run(struct process_group *group)
{
	bool single = (group->service->program->flags & PROGRAM_SINGLE) != 0;
	while (!master.stopping && group->running < group->wanted) {
		if (clock_ms() < group->start_after)
			return;
		if (single && room_is_running_old(group->service->program->room))
			return;
		int error = process_start(group);
		if (error != 0) {
			log_warning(NULL, "service %s: cannot start a process: %s", group->service->name,
				strerror(-error));
			back_off(group);
			return;
		}
	}
}

void groups_run(void)
{
	LIST_FOREACH(node, &master.groups)
		group_run(LIST_ENTRY(node, struct process_group, node));
}

int64_t groups_next_ms(void)
{
	int64_t now = clock_ms(), least = -1;
	LIST_FOREACH(node, &master.groups) {
		struct process_group *group = LIST_ENTRY(node, struct process_group, node);
		if (group->running >= group->wanted || group->start_after == 0)
			continue;
		int64_t wait = group->start_after > now ? group->start_after - now : 0;
		/* Past its time and still not running: it waits for the end of an old process. */
		if (wait == 0)
			continue;
		if (least < 0 || wait < least)
			least = wait;
	}
	return least;
}

/* The ready process that was given the least so far. */
static struct process *choose(struct process_group *group)
{
	struct process *best = NULL;
	LIST_FOREACH(node, &group->processes) {
		struct process *process = LIST_ENTRY(node, struct process, node);
		if (process->ready && (best == NULL || process->served < best->served))
			best = process;
	}
	return best;
}

static void hand_over(struct process *process, int fd, const char *peer, pid_t peer_pid)
{
	struct control_message message;
	control_message_init(&message, CONTROL_SERVE);
	message.id = (uint32_t)peer_pid;
	(void)control_message_set_text(&message, peer);
	process->served++;
	process_send(process, &message, fd);
}

static void refuse_peer(struct process_group *group, int fd_take)
{
	int64_t now = clock_ms();
	if (group->refused_at == 0 || now - group->refused_at >= REFUSED_EVERY_MS) {
		group->refused_at = now;
		log_warning(NULL, "service %s: too many peers are waiting for it",
			group->service->name);
	}
	close(fd_take);
}

void group_give(struct process_group *group, int fd_take, const struct process *asker)
{
	struct process *process = choose(group);
	if (process != NULL && process->unsent_count >= SERVICE_PENDING_MAX) {
		/* It is behind, or somebody asks too fast: that one waits, nobody is killed for it. */
		refuse_peer(group, fd_take);
		return;
	}
	if (process != NULL) {
		hand_over(process, fd_take, asker->service_name, asker->pid);
		close(fd_take);
		return;
	}
	if (group->pending_count == SERVICE_PENDING_MAX) {
		refuse_peer(group, fd_take);
		return;
	}
	struct pending *pending = NEW(struct pending);
	pending->fd = fd_take;
	pending->peer_pid = asker->pid;
	memcpy(pending->peer, asker->service_name, sizeof pending->peer);
	list_append(&group->pending, &pending->node);
	group->pending_count++;
	if (group->wanted == 0)
		group->wanted = 1;
	group_run(group);
}

/* Also called when a process became ready. */
static void give_pending(struct process_group *group)
{
	struct list_node *node;
	while (choose(group) != NULL && (node = list_pop(&group->pending)) != NULL) {
		struct pending *pending = LIST_ENTRY(node, struct pending, node);
		group->pending_count--;
		hand_over(choose(group), pending->fd, pending->peer, pending->peer_pid);
		close(pending->fd);
		free(pending);
	}
}

void group_ready(struct process_group *group)
{
	give_pending(group);
	notify_ready_if_all();
}

static void complain(struct process_group *group)
{
	log_warning(NULL, "%s/%s: bad command startup -- throttling",
		conf_get(master.conf, "daemon_directory"),
		program_file(group->service->program, group->role != CONTROL_ROLE_SERVICE));
	notify_failed(group->service->name);
}

void group_ended(struct process_group *group, struct process *process, int status)
{
	bool on_demand = group->role != CONTROL_ROLE_SERVICE ||
		!(group->service->program->flags & PROGRAM_AT_START);
	if (on_demand && group->running == 0)
		group->wanted = group->pending_count > 0 ? 1 : 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		group_release(group);
		return;
	}
	if (process->ready && clock_ms() - process->started_at >= HEALTHY_MS)
		group->backoff_ms = group->start_after = 0;
	if (!process->ready) {
		if (!group->complained)
			complain(group);
		group->complained = true;
		if (group->role != CONTROL_ROLE_SERVICE)
			drop_pending(group); /* its askers try again later */
	} else {
		group->complained = false;
	}
	/* The first crash of a process that had worked is mended at once. */
	if (process->ready && group->backoff_ms == 0)
		group->backoff_ms = FIRST_BACKOFF_MS / 2;
	else
		back_off(group);
	group_release(group);
}

void group_renew(struct process_group *group)
{
	unsigned flags = group->service->program->flags;
	bool in_the_way = (flags & PROGRAM_SINGLE) && !(flags & PROGRAM_HANDS_OVER);
	LIST_FOREACH(node, &group->processes)
		process_stop(LIST_ENTRY(node, struct process, node),
			in_the_way ? EXCLUSIVE_STOP_MS : SESSION_STOP_MS);
	group->backoff_ms = group->start_after = 0;
	group->complained = false;
}

void groups_give_up(void)
{
	LIST_FOREACH(node, &master.groups)
		drop_pending(LIST_ENTRY(node, struct process_group, node));
}

void groups_retire(void)
{
	LIST_FOREACH(node, &master.groups) {
		struct process_group *group = LIST_ENTRY(node, struct process_group, node);
		group_renew(group);
		group_free(group);
	}
}
