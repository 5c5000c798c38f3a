/* What workers count: rows by listener and by upstream, one array of each a
 * worker.  Written by that worker alone, read by anyone; every row starts on a
 * cache line of its own, so that no two workers share one. */
#ifndef SLUICE_PROXY_STATS_H
#define SLUICE_PROXY_STATS_H

#include <stddef.h>

#include "base/counter.h"
#include "base/histogram.h"
#include "base/line.h"
#include "proxy/closerecord.h"

/* Why an attempt to connect failed. */
enum connect_failure {
	CONNECT_REFUSED,
	CONNECT_TIMEOUT,
	CONNECT_UNREACHABLE, /* no route, network or host down */
	CONNECT_OTHER,
};
#define CONNECT_FAILURES (CONNECT_OTHER + 1)

/* Why a client was not let in. */
enum denial {
	DENIED_BY_RULE, /* allow and deny */
	DENIED_SESSIONS, /* max_sessions_per_client */
	DENIED_RATE,	 /* session_rate_per_client */
};
#define DENIALS (DENIED_RATE + 1)

/* Nothing but counters: listener_stats_sum() takes it as an array of them. */
struct listener_stats {
	alignas(LINE) struct counter bytes_to_upstream;
	struct counter	 bytes_to_client;
	struct counter	 begun;	      /* sessions, on this worker */
	struct counter	 handed_over; /* accepted here, given to another */
	struct counter	 refused;     /* accepted, but out of memory, or told to
					 stop */
	struct counter	 denied[DENIALS];
	struct counter	 bad_greetings; /* sessions that ended in GREETING */
	struct counter	 routed[ROUTE_KINDS + 1]; /* by a rule of each kind, and
					 by none; where there are rules */
	struct counter	 paused_full; /* stops of accepting: max_sessions, */
	struct counter	 paused_fast; /* session_rate, */
	struct counter	 paused_short; /* or out of descriptors or memory */
	struct counter	 probes;      /* ended by the client without a byte */
	struct counter	 ended[CLOSED_BYS][CLOSE_HOWS];
	struct histogram lasted;      /* sessions that ended, but probes and
					 those that were not let in */
};

/* As above. */
struct upstream_stats {
	alignas(LINE) struct counter attempts; /* to connect */
	struct counter	 failures[CONNECT_FAILURES];
	struct counter	 sessions;   /* connected */
	struct counter	 waited;     /* sessions, for a server */
	struct counter	 wait_timeouts; /* and got none in time */
	struct histogram connecting; /* how long, the attempt that did it */
};

struct worker_stats {
	struct listener_stats *listeners; /* by place: base/rows.h */
	struct upstream_stats *upstreams;
};

/* Zeroed rows, or false without memory. */
bool stats_init(struct worker_stats *, size_t nlisteners, size_t nupstreams);
void stats_done(struct worker_stats *);

/* Room for as many; others may read what there is meanwhile.  0 or -errno. */
int stats_grow(struct worker_stats *, size_t nlisteners, size_t nupstreams);

/* Adds a worker's row to a sum of the caller's own, zeroed before the first. */
void listener_stats_sum(struct listener_stats *sum,
    const struct listener_stats *);
void upstream_stats_sum(struct upstream_stats *sum,
    const struct upstream_stats *);

/* All that ended, however. */
uint64_t listener_stats_ended(const struct listener_stats *);

/* Of whatever kind. */
uint64_t upstream_stats_failures(const struct upstream_stats *);

/* What a failed connect's -errno means to somebody who looks for the fault. */
enum connect_failure connect_failure(int error);
const char	    *connect_failure_text(enum connect_failure);

#endif
