/* The gate between bulk and everything else.
 *
 * Bulk directions are not moved when an event comes but wait in one queue, and
 * one of them has a turn between two looks at the events.  While there are
 * small messages too, the gate stays shut for a while after each: what bulk
 * moves costs processor time also behind its sockets, which small messages then
 * wait for. */
#ifndef SLUICE_PROXY_GATE_H
#define SLUICE_PROXY_GATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay.h"

struct gate {
	struct relay_queue  queue; /* bulk directions with work, in order */
	const struct relay *turn;  /* whose turn it is, or NULL */
	bool		    shut;  /* until the timer comes up */
	uint64_t	    small; /* moves of others since the last turn */
	double		    crowd; /* the same in a while, about */
	uint64_t	    counted_at; /* us */
	int		    timer_fd; /* owned; libevent's timers know only ms */
	struct event	    timer;
};

/* 0 or -errno. */
int  gate_open(struct gate *, struct event_base *);
void gate_close(struct gate *); /* never opened, but zeroed, is fine */

/* Whether a direction may move now. */
bool gate_lets(struct gate *, const struct relay *);

/* Whether a turn could be taken at once: the loop must not wait. */
bool gate_ready(const struct gate *);

/* Gives the first in the queue its turn, if it is time.  While others are busy
 * bulk gets 'share' percent of the time. */
void gate_run(struct gate *, unsigned share);

#endif
