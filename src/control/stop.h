/* How the daemon ends: it drains, then what is left is closed.
 *
 *	RUNNING --stop_gently()--> DRAINING --its time, stop_now()--> KILLED
 *	    |                         ^     the last session ends: the workers
 *	    |                         |     end, and so do we
 *	    `--for another--> SERVING-'     no session lasts (elders.h), or nine
 *					    tenths of the time are over: who comes
 *					    meanwhile need not wait for the other
 *
 * A worker that hangs ends never: after a while without any progress we end
 * without it. */
#ifndef SLUICE_CONTROL_STOP_H
#define SLUICE_CONTROL_STOP_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "crew.h"
#include "ports.h"
#include "proxy/visit.h"

struct drain;
struct elders;
struct tours;

enum stop_stage { STOP_RUNNING, STOP_SERVING, STOP_DRAINING, STOP_KILLED };

struct stop {
	struct event_base *base;
	struct crew	  *crew;
	struct ports	  *ports;
	struct tours	  *tours; /* NULL: all stay until the end */
	enum stop_stage	   stage;
	bool		   goes_on; /* another process will listen on them */
	struct event	   timer;
	uint64_t	   until;   /* clock_ms(); 0: without a limit */
	struct elders	  *elders;  /* SERVING, for whom; or NULL */
	struct drain	  *drain;   /* by which they leave; or NULL */
	struct ending	   overdue; /* of what outlives the drain */
	char		   who[VISIT_WHO]; /* its detail, or "" */
	struct rate_limit  rate;     /* at which they leave */
	bool		   told;     /* the service manager was */
	bool		   asked;    /* by a signal */
	uint64_t	   progress; /* KILLED: crew_progress(), */
	uint64_t	   since;    /* and when it became that */
	bool		   gave_up;  /* on a worker that hangs */
};

struct stop_order {
	uint64_t	  limit_ms; /* 0: none */
	const char	 *rule;	    /* the option behind that, or NULL */
	struct rate_limit rate;	    /* at which they leave; count 0: none */
	const char	 *who;	    /* asks for it; NULL: a signal does */
	bool		  by_manager; /* who may count the time until we end */
	bool		  goes_on;  /* the ports stay with systemd, for who is
				       started next: none is refused */
};

/* All must outlive it. */
void stop_init(struct stop *, struct event_base *, struct crew *,
    struct ports *);

/* By which sessions leave one after the other, before stop_done() in their
 * turn. */
void stop_set_tours(struct stop *, struct tours *);
void stop_done(struct stop *);

/* Accepts no more, or not for long; what is left leaves spread over the last
 * tenth of the limit, and then is ended.  Once draining: nothing. */
void stop_gently(struct stop *, const struct stop_order *);

/* A signal says so.  Running: gently.  While an operator drains: as he does, but
 * by this limit, too.  Else now: it was said before. */
void stop_ask(struct stop *, const struct stop_order *);

/* Ends every session; again is fine. */
void stop_now(struct stop *);

/* The service manager knows that this is the end. */
void stop_tell(struct stop *);

#endif
