/* Sessions that have to leave, and do so at a pace (pace.h): those that a filter
 * finds, by the workers, piece by piece.  Whoever wants sessions gone begins
 * one: an operator, a server that went down or was removed, the end. */
#ifndef SLUICE_CONTROL_DRAIN_H
#define SLUICE_CONTROL_DRAIN_H

#include <event2/event.h>

#include "config/config.h"
#include "pace.h"
#include "tour.h"

struct drain;

/* How many sessions it is about are there now, by a counter.  More than the
 * filter finds is fine: they may be on their way to where it finds them. */
typedef uint64_t drain_left(void *owner);

/* The last has left.  By the loop, never from within drain_begin(); the drain
 * may be ended here. */
typedef void drain_over(void *owner);

struct drain_order {
	struct visit_filter filter;
	struct ending	    ending;	    /* what records will say, with */
	char		    who[VISIT_WHO]; /* its detail */
	struct rate_limit   rate;	    /* count 0: none */
	uint64_t	    deadline;	    /* ms from now, or PACE_NEVER */

	/* Only those of these servers, besides the filter's; 0: it says all. */
	struct server_state **servers;
	size_t		      nservers;

	drain_left *left;
	drain_over *over;
	void	   *owner;
};

/* The order is copied, with references to its servers.  NULL without memory.
 * Base and tours must outlive it. */
struct drain *drain_begin(struct event_base *, struct tours *,
    const struct drain_order *);

/* Who is left may stay.  NULL is fine. */
void drain_end(struct drain *);

bool	 drain_is_over(const struct drain *);
size_t	 drain_ended(const struct drain *); /* sessions, so far */
uint64_t drain_sessions(const struct drain *); /* that are left */

/* ms until the deadline; PACE_NEVER: there is none. */
uint64_t drain_time_left(const struct drain *);

#endif
