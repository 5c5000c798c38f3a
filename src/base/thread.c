#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define FAULT_STACK (64 * 1024) /* what all registers of a processor need, and
				   only what is touched takes memory */

static _Thread_local const struct thread *self;

/* A fault whose signal is blocked would kill us without a word. */
static void
signals_of_main(sigset_t *set)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE,
		SIGABRT };

	sigfillset(set);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(set, faults[i]);
}

void
thread_block_signals(void)
{
	sigset_t set;

	signals_of_main(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

/* The sanitizers have stacks for that of their own, and free them. */
void
thread_fault_stack(void *stack, size_t size)
{
	const stack_t other = { .ss_sp = stack, .ss_size = size };

	if (SLUICE_CRASH)
		sigaltstack(&other, NULL);
}

static void *
thread_run(void *arg)
{
	uint8_t stack[FAULT_STACK];
	struct thread own = *(struct thread *)arg;
	void *result;

	free(arg);
	self = &own;
	thread_fault_stack(stack, sizeof(stack));
	pthread_setname_np(pthread_self(), own.name);
	result = own.run(own.arg);
	self = NULL;
	return result;
}

int
thread_start(pthread_t *id, const pthread_attr_t *attr,
    const struct thread *thread)
{
	struct thread *copy = malloc(sizeof(*copy));
	sigset_t set, old;
	int error;

	if (copy == NULL)
		return -ENOMEM;
	*copy = *thread;
	signals_of_main(&set);
	pthread_sigmask(SIG_SETMASK, &set, &old);
	error = pthread_create(id, attr, thread_run, copy);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0)
		free(copy);
	return -error;
}

const char *
thread_name(void)
{
	return self != NULL ? self->name : "main";
}

void
thread_tell(struct rawtext *t)
{
	if (self != NULL && self->about != NULL)
		self->about(self->arg, t);
}
