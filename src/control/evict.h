/* What becomes of the sessions of a server that went down, or is in the
 * configuration no more: on_down = drain or kill ends them.
 *
 *	kill	now
 *	drain	those that are left after drain_timeout, spread over its last
 *		tenth, so that not all of them come back in one moment */
#ifndef SLUICE_CONTROL_EVICT_H
#define SLUICE_CONTROL_EVICT_H

#include <event2/event.h>

#include "tour.h"

struct evict;
struct server;
TAILQ_HEAD(evict_list, evict);

/* The server went down; one that is under way goes on.  Keep, and no memory:
 * its sessions stay. */
void evict_begin(struct server *, struct event_base *, struct tours *,
    uint64_t drain_timeout);

/* It is up again, or gone: who is left may stay. */
void evict_end(struct server *);

/* It is about to be forgotten, since that configuration of its upstream names it
 * no more: its sessions go as that says, noted in the list. */
void evict_removed(struct server *, const struct upstream_conf *,
    struct event_base *, struct tours *, uint64_t drain_timeout,
    struct evict_list *);

/* A server of the list is there again; nobody's are ended any more. */
void evict_returned(struct evict_list *, const struct server_state *);
void evict_end_all(struct evict_list *);

#endif
