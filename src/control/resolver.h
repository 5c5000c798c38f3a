/* From server lines to endpoint sets.  Numeric addresses are known at once;
 * each upstream with names is looked up by getaddrinfo(3) in a thread of its
 * own, so that one silent name server holds up nobody else, every 30 s, sooner
 * after a failure.  The last good addresses of a name stay in use. */
#ifndef SLUICE_CONTROL_RESOLVER_H
#define SLUICE_CONTROL_RESOLVER_H

#include <event2/event.h>

#include "crew.h"
#include "servers.h"

struct resolver;

/* Tells the crew, and before it the servers, of every upstream whose addresses
 * are known, now and later.  NULL without memory.  The config must outlive it. */
struct resolver *resolver_new(struct event_base *, const struct config *,
    struct crew *, struct servers *);
void resolver_free(struct resolver *); /* NULL is fine */

/* What the crew was told last of an upstream; NULL: nothing yet.  The
 * resolver's reference. */
const struct endpoint_set *resolver_endpoints(const struct resolver *,
    size_t upstream);

/* Tells the crew anew what is known: a weight has changed.  0 or -ENOMEM. */
int resolver_renew(struct resolver *, size_t upstream);

#endif
