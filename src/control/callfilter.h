/* Which system calls a thread may make: seccomp(2), by libseccomp where the
 * build has it. */
#ifndef SLUICE_CONTROL_CALLFILTER_H
#define SLUICE_CONTROL_CALLFILTER_H

#include "sandbox.h"

struct callfilter; /* of one kind of thread, ready to be entered */

/* "libseccomp 2.5.4", or "not built in". */
const char *callfilter_library(void);

/* Makes the filter of such threads: for workers and the log writer of what they
 * may, for those that run others' code of what they may not.  Main thread.
 * 0, and *filter is the caller's, callfilter_free(): NULL in a build without
 * the library; or -errno. */
int  callfilter_new(struct callfilter **filter, enum sandbox_thread);
void callfilter_free(struct callfilter *);

/* From here on the calling thread, and those that it makes, make no other
 * calls, for good: a call that is not among those that a thread may make fails
 * with ENOSYS, as on a kernel that does not have it, so that the C library does
 * without; one that is among those that it may not, with EPERM.  The kernel
 * logs both (seccomp_log in audit, else its own log).  NULL: nothing happens.
 * 0 or -errno. */
int callfilter_enter(const struct callfilter *);

#endif
