/* Switching between stacks. The only machine-dependent code of lib/task: x86-64 and AArch64 by
 * hand, anything else by ucontext.
 * SPDX-License-Identifier: ISC */
#ifndef TAMBO_TASK_CONTEXT_H
#define TAMBO_TASK_CONTEXT_H

#include <stddef.h>

#if defined(__x86_64__) || defined(__aarch64__)
struct context {
	void *stack_pointer;
};
#else
#include <ucontext.h>
struct context {
	ucontext_t ucontext;
};
#endif

/* Prepares a context that, when first switched to, calls entry on the given stack; entry must never
 * return. */
void context_prepare(struct context *context, void *stack, size_t size, void (*entry)(void));
/* Saves the caller in *from and goes on in *to. */
void context_switch(struct context *from, struct context *to);

#endif
