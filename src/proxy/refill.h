/* Directions that are out of tokens (meter.h).
 *
 * They wait in one queue for one timer, which runs only while there are any: it
 * takes the same few calls for one as for thousands. */
#ifndef SLUICE_PROXY_REFILL_H
#define SLUICE_PROXY_REFILL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>

#include "relay.h"

#define REFILL_MS 10

struct refill {
	struct relay_queue  queue; /* directions that wait */
	struct relay_queue *full;  /* where those go that need no longer */
	struct event	    timer; /* pending while there are any */
	bool		    armed; /* it is */
};

/* 0, or -ENOMEM. */
int  refill_open(struct refill *, struct event_base *,
    struct relay_queue *full);
void refill_close(struct refill *);

/* The direction waits from now on, if it does not already. */
void refill_add(struct refill *, struct relay *);

#endif
