/* How the daemon ends: it drains, then what is left is closed.
 *
 *	RUNNING --stop_gently()--> DRAINING --its time, stop_now()--> KILLED
 *	    the last session ends: the workers end, and so do we */
#ifndef SLUICE_CONTROL_STOP_H
#define SLUICE_CONTROL_STOP_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "crew.h"

enum stop_stage { STOP_RUNNING, STOP_DRAINING, STOP_KILLED };

struct stop {
	struct crew    *crew;
	enum stop_stage stage;
	struct event	timer;
	struct ending	overdue; /* of what outlives the drain */
};

/* Crew and base must outlive it. */
void stop_init(struct stop *, struct event_base *, struct crew *);

/* Accepts no more, and after the limit ends what is left; 0 is no limit.
 * 'rule' is the option behind the limit, or NULL.  Once draining: nothing. */
void stop_gently(struct stop *, uint64_t limit_ms, const char *rule);

/* Ends every session; again is fine. */
void stop_now(struct stop *);

#endif
