/* Signals, as events of the main loop (workers block them all).
 *
 *	TERM	drain for drain_timeout, then end what is left; again: now
 *	QUIT	drain without a limit
 *	INT	drain for 1 s; again: now
 *	RTMIN+1	as TERM, but clients wait for who is started next (see store.h)
 *	USR1	open the logs anew
 *	HUP	that, and read the configuration
 */
#ifndef SLUICE_CONTROL_SIGNALS_H
#define SLUICE_CONTROL_SIGNALS_H

#include <event2/event_struct.h>

#include "config/config.h"
#include "stop.h"

#define SIGNALS_HANDLED 6

struct control;

struct signals {
	struct control	    *control; /* to be reloaded */
	const struct config *config;
	struct stop	    *stop;
	struct event	     events[SIGNALS_HANDLED];
};

/* At the very start: none that we do not handle yet may end a daemon. */
void signals_ignore(void);

/* All must outlive it. 0 or -ENOMEM. */
int signals_init(struct signals *, struct event_base *, struct control *,
    const struct config *, struct stop *);

/* A late signal would find the default action, once the loop that handles it
 * is gone, and turn a clean end into a kill. */
void signals_block(void);

#endif
