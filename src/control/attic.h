/* Servers whose address an upstream's names do not give any more.  Those that
 * are given again are the same: their sessions still count against
 * max_sessions, and their counters go on.  Main thread only. */
#ifndef SLUICE_CONTROL_ATTIC_H
#define SLUICE_CONTROL_ATTIC_H

#include <stddef.h>
#include <sys/queue.h>

#include "proxy/endpoint.h"

TAILQ_HEAD(attic, attic_piece);

void attic_init(struct attic *);
void attic_done(struct attic *);

/* The one with this address, or NULL.  The attic's reference. */
struct server_state *attic_find(const struct attic *, const struct addr *);

/* An upstream has the servers of 'after' now, instead of those of 'before' (or
 * NULL): takes in who left, gives up who came back, and who has been here for
 * ten minutes and has no sessions.  Without memory who left is forgotten. */
void attic_follow(struct attic *, const struct endpoint_set *before,
    const struct endpoint_set *after);

#endif
