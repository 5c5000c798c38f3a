/* The names of one upstream: those of its lines, and those that SRV records
 * lead to.  Each is asked for when its TTL is over, sooner after a failure; its
 * last good answer stays in use for an hour.  Main thread only. */
#ifndef SLUICE_CONTROL_NAMES_H
#define SLUICE_CONTROL_NAMES_H

#include "dns.h"
#include "freshness.h"

struct name {
	const char		 *host;
	enum dns_kind		  kind;
	const char		 *why; /* the last answer was none, or that of
					  one family; or NULL */
	const struct addr	 *addrs; /* with port 0 */
	size_t			  naddrs;
	const struct dns_service *services;
	size_t			  nservices;
	struct freshness	  fresh;
};

struct names;

/* There is an answer, or a failure; not called from within another call. */
typedef void names_changed(void *arg);

/* Begins to ask for all names of an upstream.  Trouble with one is logged once,
 * and its end, unless 'quiet'.  NULL without memory, or if it has no names:
 * upstream_has_names() tells. */
struct names *names_new(struct event_base *, struct dns *,
    const struct config *, const struct upstream_conf *, bool quiet,
    names_changed *, void *arg);
void names_free(struct names *); /* NULL is fine */

/* The upstream has another configuration: what is in both is known still.  False:
 * no memory for what is new, to be tried again. */
bool names_obey(struct names *, const struct config *,
    const struct upstream_conf *);

/* Of a server's line, or of an SRV record's target; NULL: not known yet. */
const struct name *names_find(const struct names *, enum dns_kind,
    const char *host);

/* Each has been answered or has failed, those that SRV records lead to as well.
 * NULL has none. */
bool names_are_settled(const struct names *);

/* Asks at once, but for none more than once a second: for those that gave this
 * address; or for all, those too that wait for an answer from the name servers
 * that were there before. */
void names_hurry(struct names *, const struct addr *);
void names_renew(struct names *);

/* Somebody waits for an answer of whatever is not known: asks as names_hurry()
 * does.  Then whether one is still missing.  NULL has none. */
void names_owe(struct names *);
bool names_are_owed(const struct names *);

/* The nth, for those who want to see them all; NULL: there are no more. */
const struct name *names_at(const struct names *, size_t n);

bool upstream_has_names(const struct upstream_conf *);

#endif
