/* From server lines to endpoint sets.  Numeric addresses are known at once; each
 * name is asked for on its own (names.h), so that one silent name server holds
 * up nobody else: again when its TTL is over, at once when a server that it gave
 * cannot be reached, or when /etc/hosts or resolv.conf change. */
#ifndef SLUICE_CONTROL_RESOLVER_H
#define SLUICE_CONTROL_RESOLVER_H

#include <event2/event.h>

#include "config/snapshot.h"
#include "crew.h"
#include "names.h"
#include "servers.h"

struct resolver;

/* Tells the crew, and before it the servers, of every upstream whose addresses
 * are known, now and later.  NULL without memory. */
struct resolver *resolver_new(struct event_base *, struct snapshot *,
    struct crew *, struct servers *);

/* Room for the upstreams of another configuration (0 or -errno), and that it is
 * the one now.  An upstream that says the same goes on as it is; of one that does
 * not, what was before is in use until the new addresses are known. */
int  resolver_grow(struct resolver *, const struct config *);
void resolver_follow(struct resolver *, struct snapshot *);

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

/* Whether servers may still be of a configuration that was to be the next one,
 * for want of memory. */
bool resolver_is_behind(const struct resolver *);

/* Tells the crew anew what is known: a weight has changed. What comes with
 * the next configuration goes with that.  0 or -ENOMEM. */
int resolver_renew(struct resolver *, size_t upstream);

#endif
