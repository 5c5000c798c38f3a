/* What a short read leaves open.
 *
 * A TCP socket that gave less than was asked for is empty, and what comes later
 * has an edge of its own.  Only a reset that came before the read, in the same
 * edge as the data, is hidden (and what is behind an urgent byte): another read
 * would tell, and cost a call for every message.  So the direction is left in
 * doubt; if it then stays silent, it is looked at after a while. */
#ifndef SLUICE_PROXY_DOUBT_H
#define SLUICE_PROXY_DOUBT_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay.h"

#define DOUBT_MS 50 /* a look is due after one or two of these */

struct doubts {
	struct relay_queue  queue; /* directions in doubt */
	struct relay_queue *asked; /* where those go whose look is due */
	struct event	    timer; /* pending while there are any */
	bool		    armed; /* it is */
	uint8_t		    now;   /* counts the times it came up */
};

/* 0, or -ENOMEM. */
int  doubts_open(struct doubts *, struct event_base *,
    struct relay_queue *asked);
void doubts_close(struct doubts *);

/* The direction waits in doubt from now on, if it does not already. */
void doubts_add(struct doubts *, struct relay *);

#endif
