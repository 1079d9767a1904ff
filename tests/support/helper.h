/* Helper programs that a test starts (tests/support/NAME.py): they say "ready PORT" and die with
 * the test.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TESTS_HELPER_H
#define TAMBO_TESTS_HELPER_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

/* argv: "python3", the program, its arguments, NULL. */
static inline pid_t helper_start(const char *const *argv, int *ret_port)
{
	int pipes[2];
	CHECK(pipe(pipes) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(pipes[1], 1);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(pipes[1]);
	FILE *output = fdopen(pipes[0], "r");
	CHECK(output != NULL && fscanf(output, "ready %d", ret_port) == 1);
	fclose(output);
	return pid;
}

static inline void helper_stop(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A name server with these records; dns_servers: where it listens, for dns_open. */
static inline pid_t helper_start_dns(const char *zone, char dns_servers[64])
{
	char path[] = "/tmp/tambo-zone-XXXXXX";
	const char *argv[] = {"python3", "tests/support/fake_dns.py", path, NULL};
	int port, fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	CHECK(file != NULL && fputs(zone, file) >= 0 && fclose(file) == 0);
	pid_t pid = helper_start(argv, &port);
	unlink(path);
	snprintf(dns_servers, 64, "127.0.0.1@%d", port);
	return pid;
}

#endif
