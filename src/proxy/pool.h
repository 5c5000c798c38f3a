/* A worker's own view of one endpoint set: where its balancing stands.
 * Counted in plain ints by the one worker; it holds the set's reference. */
#ifndef SLUICE_PROXY_POOL_H
#define SLUICE_PROXY_POOL_H

#include "proxy/balance.h"

struct pool {
	unsigned	     refs;
	struct endpoint_set *set;
	struct balance	     balance;
	int64_t		     current[]; /* balance.current */
};

/* Takes the set's reference over; 'random' is where its turns begin, so
 * that workers do not march in step. NULL without memory: the set is then
 * still the caller's. */
struct pool *pool_new(struct endpoint_set *, uint64_t random);
struct pool *pool_ref(struct pool *);
void	     pool_unref(struct pool *); /* NULL is fine */

#endif
