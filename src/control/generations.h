/* The configurations that are in use: the current one, and those that sessions
 * of the workers began with.  Main holds a reference of each, so that it is the
 * last to let go. */
#ifndef SLUICE_CONTROL_GENERATIONS_H
#define SLUICE_CONTROL_GENERATIONS_H

#include <stddef.h>

#include "config/snapshot.h"

struct generations {
	struct snapshot **all; /* owned, a reference of each; the current last */
	size_t		  count;
	size_t		  room;
	struct snapshot	 *first; /* by which the process was started: one more
				    reference, which keeps no place */
};

/* Room for one more. 0 or -ENOMEM. */
int generations_reserve(struct generations *);

/* It is current now: takes the reference over.  There must be room. */
void generations_add(struct generations *, struct snapshot *);

/* Lets go of those that nobody else uses any more, but for the current one. */
void generations_sweep(struct generations *);

/* Their configurations, as many as 'count'; NULL without memory. */
const struct config **generations_configs(const struct generations *);

void generations_done(struct generations *);

#endif
