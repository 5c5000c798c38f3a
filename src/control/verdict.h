/* From the answers of checks to up or down: so many in a row change it.  Pure.
 *
 *	     check_fall bad ones in a row
 *	UP ---------------------------------> DOWN
 *	   <---------------------------------
 *	     check_rise good ones in a row
 *
 * A server is taken to be up, but the very first answer decides at once. */
#ifndef SLUICE_CONTROL_VERDICT_H
#define SLUICE_CONTROL_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
	bool	 asked; /* there was an answer */
	bool	 down;
	uint64_t row;	/* answers to the contrary, up to now */
};

/* True: it has changed by this answer. */
bool verdict_take(struct verdict *, bool good, uint64_t rise, uint64_t fall);

/* How long to wait for the next check after the last began, in ms: a quarter of
 * the interval while it may change, and all with a jitter of a tenth. */
uint64_t verdict_wait(const struct verdict *, uint64_t interval,
    uint64_t random);

#endif
