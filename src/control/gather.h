/* An upstream's endpoint set, gathered from its lines and from what names and
 * SRV records gave.  Main thread only. */
#ifndef SLUICE_CONTROL_GATHER_H
#define SLUICE_CONTROL_GATHER_H

#include "attic.h"
#include "names.h"
#include "servers.h"

/* What there is; nothing of it is owned. */
struct gathering {
	const struct config	   *config;
	const struct upstream_conf *conf;
	const struct names	   *names; /* NULL: it has none */
	const struct servers	   *servers;
	const struct endpoint_set  *set;   /* used so far; NULL: none */
	const struct attic	   *attic; /* used before */
	bool			    anew;  /* 'set' is of another conf */
};

/* How many endpoints that makes at most: 0, none is known. */
size_t gather_room(const struct gathering *);

/* One reference; NULL without memory.  A server that is in use, or
 * in the attic, keeps its state. */
struct endpoint_set *gather_build(const struct gathering *);

#endif
