/* Which files a thread reaches by a path: landlock(7).  What is open already
 * stays open, and Unix sockets can be connected to. */
#ifndef SLUICE_CONTROL_LANDLOCK_H
#define SLUICE_CONTROL_LANDLOCK_H

/* The version of its interface that the kernel has; 0: none. */
int landlock_version(void);

/* What is left of them, as far as its user may. */
enum landlock_may { LANDLOCK_NOTHING, LANDLOCK_READ, LANDLOCK_WRITE };

/* The calling thread, and those that it makes, do nothing else with files from
 * now on, for good.  LANDLOCK_WRITE, which is for logs: files are made and
 * written, not read, listed, removed or run.  0, also where the kernel has none
 * of this, or -errno. */
int landlock_enter(enum landlock_may);

#endif
