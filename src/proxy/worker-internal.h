/* Inside a worker: what its listeners, sessions and relays work with. */
#ifndef SLUICE_PROXY_WORKER_INTERNAL_H
#define SLUICE_PROXY_WORKER_INTERNAL_H

#include <pthread.h>

#include "base/line.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "doubt.h"
#include "era.h"
#include "gate.h"
#include "note.h"
#include "pool.h"
#include "proxy/worker.h"
#include "refill.h"
#include "session.h"
#include "spill.h"
#include "visit-internal.h"

#define WORKER_SCRATCH (256 * 1024)

LIST_HEAD(listener_list, listener);

struct worker {
	/* Others read the first at each client they accept, and write it when
	 * they hand one over. */
	alignas(LINE) _Atomic uint64_t live; /* sessions, and clients coming */
	alignas(LINE) struct worker_stats stats; /* its rows are read by others */

	struct shared	     *shared;
	unsigned	      index;
	pthread_t	      thread;
	struct event_base    *base;
	struct box	     *mailbox;
	struct event	      mail_event;
	struct ring	     *records;
	bool		      records_pending;

	struct snapshot	     *snapshot; /* the current one */
	struct era_list	      eras;	/* and those that are still needed */
	struct pool	    **pools; /* by upstream; NULL: not resolved yet */
	struct session_list  *routing; /* by upstream: wait for its addresses */
	struct listener_list  listeners;
	struct event	      resume_event; /* for paused listeners */
	struct event	      leave_event;  /* for those that leave */
	bool		      paused;
	bool		      draining;
	bool		      killed; /* who still comes by mail ends at once */

	struct slab	      slab; /* what the sessions are made of */
	struct session_list   sessions;
	struct session_list   ended;
	struct visit_list     visits; /* that have begun and not ended */
	struct relay_queue    queue; /* directions with work left */
	struct gate	      gate;  /* and those that are bulk */
	struct doubts	      doubts;
	struct refill	      refill; /* directions out of tokens */

	struct wheel	      wheel;
	struct event	      wheel_event;
	uint64_t	      wheel_armed; /* when the event is due */
	uint64_t	      now;	   /* 0: not asked yet in this turn */
	uint64_t	      sequence;
	uint64_t	      random;
	struct note	      note; /* others read it now and then */

	struct spill_pool     spills;
	struct pipe_pool      pipes;
	uint8_t		      scratch[WORKER_SCRATCH]; /* not zeroed: pages
					that nobody needs take no memory */
};

/* One turn: events (waiting for one unless the run queue holds work), a pass
 * over the run queue, the reaper. */
void worker_turn(struct worker *);

/* The time, read once a turn. */
uint64_t worker_now(struct worker *);

/* Cheap and not secret: spreading, jitter. */
uint64_t worker_random(struct worker *);

/* Sees to it that the wheel is looked at when 'entry' comes up. */
void worker_set_timer(struct worker *, struct wheel_entry *, uint64_t deadline);

/* Takes a client over, its slot taken; gives both back when it cannot. */
void worker_adopt(struct worker *, const struct listener_conf *, struct conn *,
    const struct peer *);

/* Mail has come; listening sockets that were to leave may be empty by now: its
 * events (worker_mail.c). */
void worker_mail_event(evutil_socket_t, short what, void *worker);
void worker_leave_event(evutil_socket_t, short what, void *worker);

/* Has main look at the servers, once however many say so before it does. */
void worker_tell_failure(struct worker *);

/* A session ended: a paused listener may find room again. */
void worker_release(struct worker *, const struct listener_conf *);

#endif
