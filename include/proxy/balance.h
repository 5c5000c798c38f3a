/* Which server is next.  Pure. */
#ifndef SLUICE_PROXY_BALANCE_H
#define SLUICE_PROXY_BALANCE_H

#include "proxy/endpoint.h"

#define BALANCE_NONE SIZE_MAX

/* A bit set over the endpoints of a set. */
#define BALANCE_WORDS(count) (((count) + 63) / 64)

/* Smooth weighted round robin: of 5:1:1 the turns are a a b a c a a, not five
 * times a in a row.  'current' is the state, an int64_t for each endpoint,
 * zero at the start.  Endpoints whose bit in 'tried' is set are left out;
 * backups are only looked at when no other is left.  BALANCE_NONE: all tried.
 */
size_t balance_round_robin(const struct endpoint_set *, int64_t *current,
    const uint64_t *tried);

#endif
