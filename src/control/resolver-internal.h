/* What the files of the resolver share. */
#ifndef SLUICE_CONTROL_RESOLVER_INTERNAL_H
#define SLUICE_CONTROL_RESOLVER_INTERNAL_H

#include <event2/event_struct.h>

#include "attic.h"
#include "filewatch.h"
#include "resolver.h"

/* One upstream.  Another configuration of it is the next one until its addresses
 * are known, and until then what was before goes on. */
struct resolving {
	struct resolver		   *resolver;
	const struct upstream_conf *conf; /* NULL: there is no such upstream */
	struct snapshot		   *snapshot; /* its; one reference */
	const struct upstream_conf *next; /* NULL: none */
	struct snapshot		   *next_snapshot;
	struct names		   *names; /* NULL: it has none */
	bool			    names_old; /* they are not the next's yet */
	bool			    behind; /* its servers may be of several */
	struct event		    soon;  /* to publish what is known */
	struct endpoint_set	   *set;   /* told last; one reference */
	uint64_t		   *seen;  /* failures of each of its servers */
	struct attic		    attic; /* servers of earlier sets */
	bool			    asked; /* sessions wait for an answer */
};

struct resolver {
	struct event_base   *base;
	const struct config *config;
	struct crew	    *crew;
	struct dns	    *dns;
	struct filewatch    *files;
	struct servers	    *servers;
	struct resolving    *upstreams; /* by place: base/rows.h */
	size_t		     count;
};

/* resolver.c */
int  resolver_open(struct resolver *);
void resolver_soon_event(evutil_socket_t, short what, void *resolving);
void resolver_changed(void *resolving);

/* resolver_follow.c.  The configuration by which addresses are looked for. */
static inline const struct upstream_conf *
resolving_conf(const struct resolving *u)
{
	return u->next != NULL ? u->next : u->conf;
}

/* Sees to it that the names are those of that; false: no memory. */
bool resolving_know_names(struct resolving *);

/* Its addresses are told: the next configuration is the one. */
void resolving_settle(struct resolving *);
void resolving_end(struct resolving *);

/* Asks all names anew, by resolv.conf or dns_server as they are now. */
void resolver_reread(struct resolver *);

#endif
