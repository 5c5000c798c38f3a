/* The paths that our listening Unix sockets have made: those and no others are
 * removed at the end, also if they let nobody in, or somebody has put another
 * socket in their place meanwhile. */
#ifndef SLUICE_CONTROL_BOUND_H
#define SLUICE_CONTROL_BOUND_H

#include <stddef.h>

#include "base/addr.h"

struct bound_path;

struct bound {
	struct bound_path *paths; /* owned */
	size_t		   count;
};

/* What was just bound there.  A name of the abstract kind leaves nothing.  0 or
 * -ENOMEM. */
int bound_add(struct bound *, const struct addr *);

/* Removes what is still there of ours, and forgets it. */
void bound_remove(struct bound *);

/* Forgets them all, and removes nothing. */
void bound_leave(struct bound *);

/* Removes one whose socket is still open: nobody else has its number. */
void bound_remove_one(struct bound *, const struct addr *);

#endif
