/* Tells systemd (sd_notify(3)'s protocol: one datagram) and the waiting `tambo start` how far it
 * is.
 * SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "master/master.h"

void notify_systemd(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	char text[256];
	if (path == NULL || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	int n = snprintf(text, sizeof text, "%s\nMAINPID=%d\nMONOTONIC_USEC=%lld\n", state,
		(int)getpid(), (long long)clock_ms() * 1000);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	(void)sendto(fd, text, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&to, len);
	close(fd);
}

static void tell_starter(const char *text)
{
	if (master.ready_pipe < 0)
		return;
	(void)!write(master.ready_pipe, text, strlen(text));
	close(master.ready_pipe);
	master.ready_pipe = -1;
}

void notify_ready_if_all(void)
{
	if (master.announced)
		return;
	LIST_FOREACH(node, &master.groups) {
		struct process_group *group = LIST_ENTRY(node, struct process_group, node);
		size_t ready = 0;
		LIST_FOREACH(child, &group->processes)
			ready += LIST_ENTRY(child, struct process, node)->ready;
		if (ready < group->wanted)
			return;
	}
	master.announced = true;
	notify_systemd("READY=1");
	tell_starter("ready\n");
	log_sink_copy_to_stderr(false);
}

void notify_failed(const char *service)
{
	char text[256];
	snprintf(text, sizeof text, "service %s does not start\n", service);
	tell_starter(text);
}
