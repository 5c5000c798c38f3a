/* What the status says, to people and to programs. */
#ifndef SLUICE_CONTROL_STATUS_H
#define SLUICE_CONTROL_STATUS_H

#include "admin.h"

struct status {
	uint64_t sessions, max_sessions;
	uint64_t begun, ended;
	uint64_t to_upstream, to_client; /* bytes */
	uint64_t log_drops;		 /* records and lines */
	uint64_t fds, max_fds;		 /* 0: unknown */
};

/* Of the whole daemon, now. */
void status_sum(const struct admin_view *, struct status *);

/* "serving", or why no clients should come: "draining", since it stops, or
 * "drained", as every listener is. */
const char *status_word(const struct admin_view *);
bool	    status_ready(const struct admin_view *);

/* How long it has run: "0s", "59s", "12m05s", as base/human.h goes on. */
const char *status_age(const struct admin_view *, char *text);

/* Why the last failed attempt to connect to it failed, or NULL. */
const char *status_last_error(const struct server_state *);

/* One server of one upstream; valid for this turn of the loop. */
struct status_row {
	const struct upstream_conf *upstream;
	const struct endpoint_set  *set;      /* NULL: nothing known yet */
	const struct endpoint	   *endpoint; /* NULL: it has none (any more) */
	const struct server	   *server;   /* of it; NULL as above */
	bool			    first, last; /* of the upstream */
};

/* Walks over the upstreams (*i) and their servers (*n), both from 0: every
 * upstream has a row at least.  False after the last. */
bool status_next(const struct admin_view *, size_t *i, size_t *n,
    struct status_row *);

#endif
