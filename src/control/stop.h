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
#include "ports.h"

enum stop_stage { STOP_RUNNING, STOP_DRAINING, STOP_KILLED };

struct stop {
	struct crew    *crew;
	struct ports   *ports;
	enum stop_stage stage;
	bool		goes_on; /* another process will listen on the ports */
	struct event	timer;
	struct ending	overdue; /* of what outlives the drain */
};

/* All must outlive it. */
void stop_init(struct stop *, struct event_base *, struct crew *,
    struct ports *);

/* Accepts no more, and after the limit ends what is left; 0 is no limit.
 * 'rule' is the option behind the limit, or NULL.  Once draining: nothing. */
void stop_gently(struct stop *, uint64_t limit_ms, const char *rule);

/* The same, but the ports stay with systemd, for who is started next: clients
 * wait there for him, and none is refused. */
void stop_for_next(struct stop *, uint64_t limit_ms, const char *rule);

/* Ends every session; again is fine. */
void stop_now(struct stop *);

#endif
