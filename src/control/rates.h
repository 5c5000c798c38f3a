/* What happens a second: samples of the counters, once a second, while
 * somebody looks. */
#ifndef SLUICE_CONTROL_RATES_H
#define SLUICE_CONTROL_RATES_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crew.h"

#define RATES_SECONDS 60
#define RATES_TOTAL   SIZE_MAX /* instead of a listener: all of them */

struct rates;

struct rate {
	double now;	 /* sessions at the end of the time */
	double sessions; /* begun, a second, ... */
	double to_upstream, to_client; /* ... and bytes */
};

/* Samples nothing yet. NULL without memory. */
struct rates *rates_new(struct event_base *, struct crew *);
void	      rates_free(struct rates *); /* NULL is fine */

/* Somebody looks: samples are taken for the next minute. */
void rates_look(struct rates *);

/* There may be more listeners, and at places of others: what was sampled is
 * forgotten. */
void rates_follow(struct rates *);

/* The average of the last 'seconds', or of those that were watched; false: not
 * even one was.  'listener' is its place, or RATES_TOTAL. */
bool rates_get(const struct rates *, size_t listener, unsigned seconds,
    struct rate *);

/* The second that ended so many seconds ago (0: just now), likewise. */
bool rates_second(const struct rates *, unsigned ago, struct rate *);

#endif
