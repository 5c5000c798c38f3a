/* From server lines to endpoint sets.  Numeric addresses are known at once; each
 * name is asked for on its own (names.h), so that one silent name server holds
 * up nobody else: again when its TTL is over, at once when a server that it gave
 * cannot be reached, or when /etc/hosts or resolv.conf change. */
#ifndef SLUICE_CONTROL_RESOLVER_H
#define SLUICE_CONTROL_RESOLVER_H

#include <event2/event.h>

#include "crew.h"
#include "names.h"
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

/* Its names; NULL: it has none. */
const struct names *resolver_names(const struct resolver *, size_t upstream);

/* Servers could not be reached, or sessions have no address: asks at once for
 * the names that gave them, or should, but for none more than once a second. */
void resolver_look(struct resolver *);

/* So was this address of an upstream. */
void resolver_hurry(struct resolver *, size_t upstream, const struct addr *);

/* Tells the crew anew what is known: a weight has changed.  0 or -ENOMEM. */
int resolver_renew(struct resolver *, size_t upstream);

#endif
