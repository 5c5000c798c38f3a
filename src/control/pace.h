/* How fast sessions leave: so many a second, and by a deadline all of them.
 *
 *	begin ------------------------> last tenth ------------> deadline
 *	  at the rate; without one         what is left, spread     all that is
 *	  nobody has to                    evenly, or at the rate   left, at once
 *	                                   where that is more
 *
 * Pure: the time is an argument. */
#ifndef SLUICE_CONTROL_PACE_H
#define SLUICE_CONTROL_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define PACE_NEVER UINT64_MAX
#define PACE_ALL   SIZE_MAX

struct pace {
	double	 rate;	 /* sessions a millisecond; 0: none */
	double	 due;	 /* sessions that may leave, with parts of one */
	uint64_t looked; /* when that was reckoned */
	uint64_t until;	 /* the deadline; PACE_NEVER: none */
	uint64_t spread; /* so much of the time before it is its last tenth */
};

/* A rate of count 0 is none; the deadline is so many ms from now, or
 * PACE_NEVER. */
void pace_init(struct pace *, uint64_t now, const struct rate_limit *,
    uint64_t deadline);

/* How many may leave now, of so many that are left; PACE_ALL: the deadline has
 * passed. */
size_t pace_due(struct pace *, uint64_t now, uint64_t left);

/* So many of them did. */
void pace_took(struct pace *, size_t count);

/* In how many ms somebody may be due, spread by the random number; PACE_NEVER:
 * it takes somebody else to say. */
uint64_t pace_wait(const struct pace *, uint64_t now, uint64_t left,
    uint32_t random);

#endif
