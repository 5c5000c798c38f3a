/* Sessions of one upstream that wait for a server: all that may take one are
 * full, none is up, or an operator has paused it.  First come, first served,
 * over all workers.
 *
 * A wake-up is for one session, the one that waits the longest, and is never
 * lost: it tries, and whether it finds a server or leaves, it wakes the next;
 * one that finds none waits on, before all others; who gives up as the first
 * lets the next have a look, for what all wait for may be something else by
 * now.  So whoever makes room for one or for many calls waitlist_wake() once,
 * behind having made it.  One is awake at a time, else one that came later
 * could be quicker.
 *
 * Who was refused by some of the servers is choosy: there may be room which is
 * not for it.  It does not keep from that room those who have tried none. */
#ifndef SLUICE_PROXY_WAITLIST_H
#define SLUICE_PROXY_WAITLIST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/line.h"

struct waiter;
TAILQ_HEAD(waiter_queue, waiter);

/* Where nobody waits, a session that comes or leaves reads the first line and
 * writes none. */
struct waitlist {
	alignas(LINE) _Atomic uint64_t length; /* and who is awake */
	_Atomic uint64_t    choosy; /* of these */
	atomic_bool	    paused;
	_Atomic uint64_t    resumed; /* clock_ms(), the last time; 0: never */
	atomic_bool	    nameless; /* a session waits for an address (ROUTE):
					 main has to ask for one */

	alignas(LINE) pthread_mutex_t lock; /* of all that follows */
	struct waiter_queue queue;
	bool		    awake; /* one is, or its mail is on its way */
	bool		    again; /* there was more room since */
};

/* One for each upstream, by its place (base/rows.h); NULL without memory.  Freed
 * when nobody waits. */
struct waitlist *waitlists_new(size_t count);
void		 waitlists_free(struct waitlist *, size_t count);

/* Room for 'count', of which there are 'before'.  0 or -errno. */
int waitlists_grow(struct waitlist *, size_t before, size_t count);

/* There may be room.  Any thread. */
void waitlist_wake(struct waitlist *);

/* From now on who comes waits, until it goes on.  Any thread. */
void waitlist_pause(struct waitlist *, bool pause);

/* How many wait now.  Any thread. */
uint64_t waitlist_length(const struct waitlist *);

/* Whether anybody waits who takes any room.  Any thread. */
bool waitlist_is_eager(const struct waitlist *);

static inline bool
waitlist_is_paused(const struct waitlist *list)
{
	return atomic_load_explicit(&list->paused, memory_order_relaxed);
}

#endif
