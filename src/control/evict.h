/* What becomes of the sessions of a server that went down: on_down = drain or
 * kill ends them, by the workers, piece by piece.
 *
 *	kill	now
 *	drain	those that are left after drain_timeout, spread over its last
 *		tenth, so that not all of them come back in one moment */
#ifndef SLUICE_CONTROL_EVICT_H
#define SLUICE_CONTROL_EVICT_H

#include <event2/event.h>

#include "tour.h"

struct server;
struct evict;

/* The server went down; one that is under way goes on.  Keep, and no memory:
 * its sessions stay. */
void evict_begin(struct server *, struct event_base *, struct tours *,
    uint64_t drain_timeout);

/* It is up again, or gone: who is left may stay. */
void evict_end(struct server *);

#endif
