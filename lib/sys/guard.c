/* See guard.h. Jumping out of a handler is sound here because the fault is one of the instruction
 * that body was at, never of a moment between two: the kernel's si_code tells.
 * SPDX-License-Identifier: ISC */
#include "sys/guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/check.h"

#define STACK_SIZE 65536

struct guard {
	sigjmp_buf jump;
	uintptr_t low, high;
};

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction before[ARRAY_LEN(faults)];
static void (*volatile words)(void);
static _Thread_local struct guard *volatile inside;

static bool is_of_the_file(const struct guard *guard, int signo, const siginfo_t *info)
{
	uintptr_t address = (uintptr_t)info->si_addr;
	if (info->si_code <= 0)
		return false; /* somebody's kill() */
	if (signo == SIGBUS || signo == SIGFPE)
		return true;
	return signo == SIGSEGV && address >= guard->low && address < guard->high;
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	struct guard *guard = inside;
	void (*say)(void) = words;
	(void)context;
	if (guard != NULL && is_of_the_file(guard, signo, info)) {
		inside = NULL;
		siglongjmp(guard->jump, 1);
	}
	/* The next fault, also one in here, is met by who stood there before us. */
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		(void)sigaction(faults[i], &before[i], NULL);
	words = NULL;
	if (say != NULL)
		say();
	if (signo == SIGABRT || info->si_code <= 0)
		(void)raise(signo);
}

void guard_install(void (*last_words)(void))
{
	static char stack[STACK_SIZE];
	stack_t own = {.ss_sp = stack, .ss_size = sizeof(stack)}, old;
	struct sigaction action = {.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER}, now;
	words = last_words;
	/* A task that ran into the end of its stack has no room for a handler there. */
	if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE) != 0)
		CHECK(sigaltstack(&own, NULL) == 0);
	(void)sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		CHECK(sigaction(faults[i], NULL, &now) == 0);
		if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault)
			continue;
		before[i] = now;
		CHECK(sigaction(faults[i], &action, NULL) == 0);
	}
}

bool guard_run(const void *map, size_t len, void (*body)(void *arg), void *arg)
{
	struct guard guard = {.low = (uintptr_t)map, .high = (uintptr_t)map + len};
	CHECK(inside == NULL);
	if (sigsetjmp(guard.jump, 0) != 0)
		return false;
	inside = &guard;
	body(arg);
	inside = NULL;
	return true;
}

_Noreturn void guard_fail(void)
{
	struct guard *guard = inside;
	CHECK(guard != NULL);
	inside = NULL;
	siglongjmp(guard->jump, 1);
}
