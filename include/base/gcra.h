/* How often something may happen: so many in a time, and as many at once, which
 * is a token bucket in one time stamp (ITU-T I.371 annex A, the generic cell
 * rate algorithm as virtual scheduling): when the bucket will be full again. */
#ifndef SLUICE_BASE_GCRA_H
#define SLUICE_BASE_GCRA_H

#include <stdbool.h>
#include <stdint.h>

/* A rate, by what one token takes to come back.  Nanoseconds, as all times
 * here: no two tokens come at once, however many there are. */
struct gcra {
	uint64_t step;
	uint64_t whole; /* and what all of them take */
};

/* 'count' (not 0) in 'ms' milliseconds; what does not divide evenly is rounded
 * towards fewer. */
struct gcra gcra_of(uint64_t count, uint64_t ms);

/* Takes a token: false, and nothing changed, when there is none.  A clock that
 * is behind another's takes no more than is there. */
bool gcra_take(const struct gcra *, uint64_t *full, uint64_t now);

#endif
