/* A worker: one thread with its own event base, sessions, timer wheel, scratch
 * buffer and counters.  Workers share `struct shared` and otherwise only get
 * mail. */
#ifndef SLUICE_PROXY_WORKER_H
#define SLUICE_PROXY_WORKER_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/line.h"
#include "base/ring.h"
#include "config/config.h"
#include "proxy/mail.h"
#include "proxy/stats.h"

struct clients;
struct waitlist;
struct worker;

/* Slots of sessions, taken before accept(2) and given back when the session is
 * freed.  Alone on its cache line: every worker writes it. */
struct session_limit {
	alignas(LINE) _Atomic uint64_t used;
	_Atomic uint64_t full; /* session_rate: see base/gcra.h */
	struct rate_limit rate; /* main's: of which 'full' is */
	_Atomic uint64_t max; /* 0: no limit of its own */
};
static_assert(sizeof(struct session_limit) == LINE, "limits share a line");

/* What all workers share; filled by the main thread before they start.  What
 * they write is on lines of its own: all the rest is read for each client or
 * pump. */
struct shared {
	struct session_limit  sessions;	 /* the global one */
	struct session_limit *listeners; /* by place (base/rows.h) */
	size_t		      nlisteners; /* places, as is the next; main's */
	size_t		      nupstreams;
	struct waitlist	     *waits;	 /* by upstream's place */
	struct clients	     *clients;	 /* NULL: nobody counts them */
	struct worker	    **workers;
	size_t		      nworkers;
	unsigned	      max_pipes; /* that one worker may have open */
	void (*began)(unsigned index); /* on a worker's thread, before all
					  else; NULL: nothing to do */
	uint16_t	      boot; /* random, the head of every session id */
	atomic_bool	      records_wanted; /* by the access log, or a tap */
	int		      log_fd;	  /* eventfd: records wait in a ring */
	int		      done_fd;	  /* eventfd: a worker has ended */
	int		      failed_fd;  /* eventfd: failed_told became so */

	alignas(LINE) _Atomic uint64_t held; /* denied, and kept waiting */
	alignas(LINE) atomic_bool failed_told; /* a server could not be
						  connected to, or has no
						  address; main will look at
						  all of them */
	alignas(LINE) atomic_bool log_asleep; /* the log writer wants to be
						 told */
};
static_assert(sizeof(struct shared) - offsetof(struct shared, log_asleep) ==
    LINE, "log_asleep has company on its line");

/* Makes a worker that does not run yet.  NULL without memory or descriptors:
 * errno says which. */
struct worker *worker_new(struct shared *, unsigned index);
int	       worker_start(struct worker *); /* 0 or -errno */

/* Room for the rows of as many listeners and upstreams, before a configuration
 * that has them is sent.  Main thread; 0 or -errno. */
int worker_grow(struct worker *, size_t nlisteners, size_t nupstreams);

/* Puts mail into its box and wakes it.  False when the worker has stopped
 * taking mail: the mail and what it owns are still the sender's. */
bool worker_mail(struct worker *, struct mail *);

/* Waits for the thread, which ends by itself after MAIL_DRAIN (with its last
 * session) or MAIL_KILL. */
void worker_join(struct worker *);
void worker_free(struct worker *); /* after join, or never started */

/* What a worker is at.  Looked at by another thread it is of one moment, but
 * what was so a moment ago. */
struct activity {
	uint64_t    turns;    /* begun so far; ACTIVITY_ENDED: no more to come */
	uint64_t    session;  /* closerecord_id(); meaningless without a phase */
	const char *phase;    /* of that; static storage.  NULL: in none */
	size_t	    listener; /* of that, its place */
};

#define ACTIVITY_ENDED UINT64_MAX

/* Any thread.  Who waits for an event does not turn: worker_nudge() has it do
 * so, unless it is stuck. */
void worker_activity(const struct worker *, struct activity *);
void worker_nudge(struct worker *);

/* Any thread. */
uint64_t		   worker_sessions(const struct worker *);
const struct worker_stats *worker_stats(const struct worker *);
struct ring		  *worker_records(struct worker *); /* of closerecord */

#endif
