/* The daemon as it is seen and changed from outside: HTTP on the Unix socket
 * 'admin_socket' (everything) and on the address 'admin' (reading only). */
#ifndef SLUICE_CONTROL_ADMIN_H
#define SLUICE_CONTROL_ADMIN_H

#include <event2/event.h>

#include "admin_socket.h"
#include "base/clock.h"
#include "crew.h"
#include "doors.h"
#include "drains.h"
#include "pulse.h"
#include "rates.h"
#include "resolver.h"
#include "stop.h"
#include "tour.h"

struct admin;
struct control;
struct generations;
struct reload;

/* What its pages look at; the caller's, and may change between two turns of
 * the loop. */
struct admin_view {
	struct control	      *control; /* to be reloaded */
	const struct reload   *reload;
	const struct generations *generations;
	const struct config   *config;
	const char	      *path; /* of its file, absolute; NULL: none */
	struct crew	      *crew;
	struct servers	      *servers;
	struct resolver	      *resolver;
	struct stop	      *stop;
	struct tours	      *tours;
	struct doors	      *doors;
	struct drains	      *drains;
	struct rates	      *rates;
	struct pulse	      *pulse;
	uint64_t	       started_ms;	    /* clock_ms() */
	uint64_t	       started_wall;	    /* clock_wall() */
	char		       started[CLOCK_TEXT]; /* the same, as text */
};

/* Serves on those sockets, which stay the caller's, by the main loop.  NULL
 * without memory. */
struct admin *admin_new(struct event_base *, const struct admin_sockets *,
    const struct admin_view *);
void admin_free(struct admin *); /* NULL is fine */

/* Runs the loop until replies that are under way have gone out, or for so many
 * ms.  Nobody is let in any more. */
void admin_finish(struct admin *, uint64_t ms); /* NULL is fine */

#endif
