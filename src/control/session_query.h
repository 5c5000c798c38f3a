/* Which sessions a request is about: its parameters, as a filter. */
#ifndef SLUICE_CONTROL_SESSION_QUERY_H
#define SLUICE_CONTROL_SESSION_QUERY_H

#include "config/config.h"
#include "proxy/visit.h"

struct session_query {
	struct visit_filter filter;
	bool		    filters; /* something is left out by it */
	size_t		    limit;   /* SIZE_MAX: none */
	size_t		    worker;  /* where to go on, and there */
	uint64_t	    below;   /* below this order; 0: from the first */
};

#define SESSION_QUERY_WHY 192

/* Asks for all sessions. */
void session_query_init(struct session_query *);

/* Takes one parameter; the configs, NULL-ended, are all that sessions may be of.
 * NULL, or what is wrong with it ('why', of that size). */
const char *session_query_set(struct session_query *,
    const struct config *const *configs, const char *name, const char *value,
    char *why);

/* What the parameter 'after' takes to go on behind a session. */
#define SESSION_CURSOR 48
const char *session_cursor(size_t worker, uint64_t order, char *text);

#endif
