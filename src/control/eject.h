/* Ejection: a server that refuses sessions so many times in a row gets none for
 * a while, longer each time.  Workers count, main decides. */
#ifndef SLUICE_CONTROL_EJECT_H
#define SLUICE_CONTROL_EJECT_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct server;
struct servers;

/* What is kept for a server. */
struct eject {
	struct event timer;  /* the end of it */
	unsigned     times;  /* since it last went well for long enough */
	uint64_t     length; /* of the last, ms */
	uint64_t     ended;  /* clock_ms() when it was over; 0: never was one */
	uint64_t     count;  /* since the start */
	const char  *held;   /* why it stays in for all that it refuses; NULL:
				it need not go */
};

/* With a server that is there now, and before it goes. */
void eject_begin(struct server *, struct event_base *);
void eject_end(struct server *);

/* It is over, for whatever reason: the failures that led to it are forgotten. */
void eject_over(struct server *);

/* Why it is not ejected although it refused so many; NULL: there is no reason to.
 */
const char *eject_held(const struct server *);

/* Connects have failed: looks at the servers of all upstreams. */
void eject_look(struct servers *);

/* Pure: whether one more of 'all' servers may go, 'ejected' of which have gone
 * and 'up' of which are up; how long it goes for the nth time, in ms. */
bool	 eject_may(size_t all, size_t ejected, size_t up, uint64_t percent);
uint64_t eject_length(uint64_t eject_time, unsigned times);

#endif
