/* See context.h. Only callee-saved registers are kept: everything else is dead across a call.
 * SPDX-License-Identifier: ISC */
#include "task/context.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)

__asm__(".text\n"
	".globl tambo_context_swap\n"
	".hidden tambo_context_swap\n"
	".type tambo_context_swap,@function\n"
	"tambo_context_swap:\n"
	"\tendbr64\n"
	"\tpushq %rbp\n\tpushq %rbx\n\tpushq %r12\n\tpushq %r13\n\tpushq %r14\n\tpushq %r15\n"
	"\tsubq $8, %rsp\n\tstmxcsr (%rsp)\n\tfnstcw 4(%rsp)\n"
	"\tmovq %rsp, (%rdi)\n"
	"\tmovq %rsi, %rsp\n"
	"\tldmxcsr (%rsp)\n\tfldcw 4(%rsp)\n\taddq $8, %rsp\n"
	"\tpopq %r15\n\tpopq %r14\n\tpopq %r13\n\tpopq %r12\n\tpopq %rbx\n\tpopq %rbp\n"
	"\tretq\n"
	".size tambo_context_swap,.-tambo_context_swap\n");

#define SAVED_WORDS 7 /* control words, r15 r14 r13 r12 rbx rbp */

static void *first_frame(char *top, void (*entry)(void))
{
	/* At entry the stack must be 8 off a multiple of 16, as behind a call. */
	uint64_t *frame = (uint64_t *)(void *)(top - 8) - (SAVED_WORDS + 1);
	memset(frame, 0, (SAVED_WORDS + 2) * sizeof *frame);
	frame[0] = 0x1f80 | (uint64_t)0x037f << 32; /* default MXCSR and x87 control word */
	frame[SAVED_WORDS] = (uint64_t)(uintptr_t)entry;
	return frame;
}

#elif defined(__aarch64__)

__asm__(".text\n"
	".globl tambo_context_swap\n"
	".hidden tambo_context_swap\n"
	".type tambo_context_swap,%function\n"
	"tambo_context_swap:\n"
	"\tsub sp, sp, #160\n"
	"\tstp x19, x20, [sp, #0]\n\tstp x21, x22, [sp, #16]\n\tstp x23, x24, [sp, #32]\n"
	"\tstp x25, x26, [sp, #48]\n\tstp x27, x28, [sp, #64]\n\tstp x29, x30, [sp, #80]\n"
	"\tstp d8, d9, [sp, #96]\n\tstp d10, d11, [sp, #112]\n\tstp d12, d13, [sp, #128]\n"
	"\tstp d14, d15, [sp, #144]\n"
	"\tmov x9, sp\n\tstr x9, [x0]\n\tmov sp, x1\n"
	"\tldp x19, x20, [sp, #0]\n\tldp x21, x22, [sp, #16]\n\tldp x23, x24, [sp, #32]\n"
	"\tldp x25, x26, [sp, #48]\n\tldp x27, x28, [sp, #64]\n\tldp x29, x30, [sp, #80]\n"
	"\tldp d8, d9, [sp, #96]\n\tldp d10, d11, [sp, #112]\n\tldp d12, d13, [sp, #128]\n"
	"\tldp d14, d15, [sp, #144]\n"
	"\tadd sp, sp, #160\n"
	"\tret\n"
	".size tambo_context_swap,.-tambo_context_swap\n");

static void *first_frame(char *top, void (*entry)(void))
{
	uint64_t *frame = (uint64_t *)(void *)(top - 160);
	memset(frame, 0, 160);
	frame[11] = (uint64_t)(uintptr_t)entry; /* x30 */
	return frame;
}

#endif

#if defined(__x86_64__) || defined(__aarch64__)

void tambo_context_swap(void **save, void *next);

void context_prepare(struct context *context, void *stack, size_t size, void (*entry)(void))
{
	context->stack_pointer = first_frame((char *)stack + size / 16 * 16, entry);
}

void context_switch(struct context *from, struct context *to)
{
	tambo_context_swap(&from->stack_pointer, to->stack_pointer);
}

#else

void context_prepare(struct context *context, void *stack, size_t size, void (*entry)(void))
{
	getcontext(&context->ucontext);
	context->ucontext.uc_stack.ss_sp = stack;
	context->ucontext.uc_stack.ss_size = size;
	context->ucontext.uc_link = NULL;
	makecontext(&context->ucontext, entry, 0);
}

void context_switch(struct context *from, struct context *to)
{
	swapcontext(&from->ucontext, &to->ucontext);
}

#endif
