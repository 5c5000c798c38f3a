/* Which files a thread reaches by a path: landlock(7).  What is open already
 * stays open, and Unix sockets can be connected to. */
#ifndef SLUICE_CONTROL_LANDLOCK_H
#define SLUICE_CONTROL_LANDLOCK_H

#include <stddef.h>
#include <stdint.h>

/* The version of its interface that the kernel has; 0: none. */
int landlock_version(void);

/* What is allowed below a folder. */
enum landlock_may { LANDLOCK_READ, LANDLOCK_WRITE };

/* The calling thread, and those that it makes, reach nothing but what is below
 * these folders from now on; one that is not there is passed over.  Of a log,
 * which LANDLOCK_WRITE is for: files are made and written, not read, listed or
 * removed.  0, also where the kernel has none of this, or -errno. */
int landlock_enter(enum landlock_may, const char *const *folders, size_t count);

#endif
