/* What the kernel lets a thread do beyond what its user may: capabilities(7),
 * of which each thread has its own. */
#ifndef SLUICE_CONTROL_PRIVILEGES_H
#define SLUICE_CONTROL_PRIVILEGES_H

#include <linux/capability.h>
#include <stdint.h>

/* A set of them. */
#define PRIVILEGE(cap) (UINT64_C(1) << (cap))

/* This thread, and those that it makes from now on, give up all others, for
 * good.  0 or -errno. */
int privileges_limit(uint64_t most);

/* After setresuid(2) with PR_SET_KEEPCAPS: of those that root had, these are
 * left, in effect, and a program that is started has them too (ambient).
 * 0 or -errno. */
int privileges_keep(uint64_t wanted);

/* No program that is started gets any that its starter has not: neither by its
 * owner (set-user-ID) nor by its file (no_new_privs, prctl(2)).  Of this thread
 * and those that it makes from now on.  0 or -errno. */
int privileges_fix(void);

#endif
