#include "sandbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "callfilter.h"
#include "landlock.h"
#include "privileges.h"

/* A build with one of these needs calls and files that nobody else does. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const char *const NAMES[] = {
	[SANDBOX_MAIN] = "main",
	[SANDBOX_WORKER] = "worker",
	[SANDBOX_LOG] = "log",
	[SANDBOX_LOOKUP] = "lookup",
};

/* Written before the first thread runs. */
static struct sandbox {
	bool		   prepared;
	bool		   on;
	uint64_t	   keeps[SANDBOX_THREADS]; /* capabilities */
	struct callfilter *filters[SANDBOX_THREADS];
	atomic_bool	   warned[SANDBOX_THREADS];
} sandbox;

/* --- before */

static void
sandbox_set_privileges(const struct identity *id)
{
	bool root = geteuid() == 0;

	sandbox.keeps[SANDBOX_WORKER] = id->workers |
	    (root ? PRIVILEGE(CAP_SYS_RESOURCE) | PRIVILEGE(CAP_DAC_OVERRIDE) :
	    0);
	sandbox.keeps[SANDBOX_LOG] = root ? PRIVILEGE(CAP_DAC_OVERRIDE) : 0;
}

static void
sandbox_make_filters(void)
{
	int error = 0;

	for (int i = 0; error == 0 && i < SANDBOX_THREADS; i++)
		error = callfilter_new(&sandbox.filters[i],
		    (enum sandbox_thread)i);
	if (error < 0)
		log_warn(error, "sandbox: no list of system calls");
}

bool
sandbox_fits_build(void)
{
	return !SANITIZED;
}

void
sandbox_prepare(const struct identity *id, bool on)
{
	int error = privileges_fix();

	if (error < 0)
		log_warn(error, "sandbox: no_new_privs");
	sandbox.on = on;
	sandbox_set_privileges(id);
	if (on)
		sandbox_make_filters();
	tzset(); /* reads a file, which the log writer may not */
	sandbox.prepared = true;
}

void
sandbox_done(void)
{
	for (int i = 0; i < SANDBOX_THREADS; i++) {
		callfilter_free(sandbox.filters[i]);
		sandbox.filters[i] = NULL;
	}
	sandbox.prepared = false;
}

/* --- on the thread */

static void
sandbox_refused(enum sandbox_thread thread, const char *what, int error)
{
	if (error < 0 && !atomic_exchange(&sandbox.warned[thread], true))
		log_warn(error, "sandbox: thread %s: its %s cannot be "
		    "limited", NAMES[thread], what);
}

/* A reload may have the logs in folders that nobody knew of when their thread
 * began. */
static int
sandbox_limit_files(enum sandbox_thread thread)
{
	switch (thread) {
	case SANDBOX_WORKER:
		return landlock_enter(LANDLOCK_NOTHING);
	case SANDBOX_LOOKUP:
		return landlock_enter(LANDLOCK_READ);
	case SANDBOX_LOG:
		return landlock_enter(LANDLOCK_WRITE);
	case SANDBOX_MAIN:
	case SANDBOX_THREADS:
		break;
	}
	return 0;
}

/* Files before calls: those that landlock(7) needs are on no list. */
static void
sandbox_limit(enum sandbox_thread thread)
{
	if (!sandbox.prepared)
		return;
	if (thread != SANDBOX_MAIN)
		sandbox_refused(thread, "capabilities",
		    privileges_limit(sandbox.keeps[thread]));
	if (!sandbox.on)
		return;
	sandbox_refused(thread, "files", sandbox_limit_files(thread));
	sandbox_refused(thread, "system calls",
	    callfilter_enter(sandbox.filters[thread]));
}

/* The main thread's name is that of the process. */
void
sandbox_enter(enum sandbox_thread thread)
{
	if (thread != SANDBOX_MAIN)
		pthread_setname_np(pthread_self(), NAMES[thread]);
	sandbox_limit(thread);
}

void
sandbox_enter_worker(unsigned index)
{
	char name[16];

	snprintf(name, sizeof(name), "%s-%u", NAMES[SANDBOX_WORKER], index);
	pthread_setname_np(pthread_self(), name);
	sandbox_limit(SANDBOX_WORKER);
}

/* --- what there is of it */

bool
sandbox_workers_have_raw(void)
{
	return !sandbox.prepared ||
	    (sandbox.keeps[SANDBOX_WORKER] & PRIVILEGE(CAP_NET_RAW)) != 0;
}

const char *
sandbox_text(char *text, size_t size)
{
	int version = landlock_version();

	if (SANITIZED)
		snprintf(text, size, "off, in a build with sanitizers");
	else if (version == 0)
		snprintf(text, size, "seccomp by %s, no Landlock in this kernel",
		    callfilter_library());
	else
		snprintf(text, size, "seccomp by %s, Landlock %d",
		    callfilter_library(), version);
	return text;
}
