/* What the values of a configuration mean together, as those who check a part
 * of it share it. */
#ifndef SLUICE_CONFIG_CHECK_H
#define SLUICE_CONFIG_CHECK_H

#include "build.h"

struct check {
	struct config	*config;
	struct arena	*arena;
	struct document *doc;
	struct report	*report;
};

/* The upstream that the value of 'key' names; NULL after saying that there is
 * none, with the nearest. */
const struct upstream_conf *check_upstream(struct check *, const char *key,
    const char *name, struct origin);

/* Finds the upstreams of a listener's rules, and builds its tables. */
void routes_check(struct check *, struct listener_conf *);

/* What 'check' needs. */
void health_check(struct check *, const struct section *);

/* Reports what has no effect in an upstream; dns_server without a name.  What
 * [defaults] says without effect is as if it did not. */
void unused_check(struct check *, const struct section *);
void unused_check_dns(struct check *);

#endif
