/* What each kind of thread may still do once the daemon runs.
 *
 *		capabilities	system calls		files
 *	main	as identity.h	no ptrace, mount, ...	as its user
 *	worker	none (1)	a list of what it may	none
 *	log	none (2)	a list of what it may	writes
 *	lookup	none		as main, no programs	reads
 *
 * (1) CAP_NET_RAW where an upstream has source = client.  Of user = root also
 * CAP_SYS_RESOURCE, without which pipes are few, and (2) CAP_DAC_OVERRIDE: a
 * socket, or a log, may be another's.
 *
 * System calls are seccomp.h's, files landlock.h's; both only with sandbox = on,
 * and in no build with sanitizers, which need more.  Capabilities go always. */
#ifndef SLUICE_CONTROL_SANDBOX_H
#define SLUICE_CONTROL_SANDBOX_H

#include "identity.h"

enum sandbox_thread {
	SANDBOX_MAIN,
	SANDBOX_WORKER,
	SANDBOX_LOG,
	SANDBOX_LOOKUP, /* getaddrinfo(3), with whatever modules it has */
	SANDBOX_THREADS
};

/* Not where a sanitizer makes calls of its own. */
bool sandbox_fits_build(void);

/* After identity_assume() and before the first thread: no_new_privs, and what
 * sandbox_enter() will need.  What cannot be had is warned about.  Not 'on':
 * only capabilities will go. */
void sandbox_prepare(const struct identity *, bool on);
void sandbox_done(void); /* no thread enters any more */

/* What a thread does first, and gets its name by: log, lookup; the main one, once
 * everything is open.  Without sandbox_prepare() there is no limit.  What the kernel refuses is warned about
 * once for each kind, and the thread goes on without. */
void sandbox_enter(enum sandbox_thread);

/* Likewise, as the worker of that number, with a name to it: worker-0. */
void sandbox_enter_worker(unsigned index);

/* Whether the workers may use a client's address (source = client). */
bool sandbox_workers_have_raw(void);

/* What there would be of it, in a line of -V: "seccomp by libseccomp 2.5.4,
 * Landlock 7". */
const char *sandbox_text(char *text, size_t size);

#endif
