/* Our threads.  Signals are the main thread's, but for those of a crash
 * (base/crash.h), which the thread that crashes tells of. */
#ifndef SLUICE_BASE_THREAD_H
#define SLUICE_BASE_THREAD_H

#include <pthread.h>

#include "base/rawtext.h"

#define THREAD_NAME 16 /* as much as the kernel keeps, pthread_setname_np(3) */

struct thread {
	char  name[THREAD_NAME];
	void *(*run)(void *);
	void *arg;

	/* Says what the thread is at, by the means of rawtext.h alone; may be
	 * NULL. */
	void (*about)(const void *arg, struct rawtext *);
};

/* Starts one that blocks all signals that others may send us.  It is copied;
 * 'attr' may be NULL.  0 or -errno. */
int thread_start(pthread_t *, const pthread_attr_t *, const struct thread *);

/* Blocks those signals in the calling thread. */
void thread_block_signals(void);

/* Has the calling thread handle faults on a stack of 'size' bytes other than
 * its own, which may be used up. */
void thread_fault_stack(void *stack, size_t size);

/* Of the calling thread: "main" where it was not started here. */
const char *thread_name(void);
void	    thread_tell(struct rawtext *); /* what it is at, if it says so */

#endif
