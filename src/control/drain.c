#include "drain.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* After a look at all sessions that found none, or without memory for one. */
#define IDLE_MS 500

struct drain {
	struct tours	  *tours;
	struct drain_order order; /* its servers: owned, one reference each */
	struct pace	   pace;
	struct event	   timer;
	struct tour	  *tour;   /* NULL: none is under way */
	size_t		   server; /* whose sessions it looks for */
	size_t		   found;  /* since the first of them */
	bool		   late;   /* that began after the deadline */
	bool		   over;
	size_t		   ended;
};

static void drain_look(struct drain *);

uint64_t
drain_sessions(const struct drain *d)
{
	return d->order.left(d->order.owner);
}

uint64_t
drain_time_left(const struct drain *d)
{
	uint64_t now = clock_ms();

	if (d->pace.until == PACE_NEVER)
		return PACE_NEVER;
	return d->pace.until > now ? d->pace.until - now : 0;
}

static void
drain_wait(struct drain *d, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (ms != PACE_NEVER && event_add(&d->timer, &tv) < 0)
		log_error(-ENOMEM, "sessions that have to leave stay");
}

static void
drain_is_done(struct drain *d)
{
	d->over = true;
	d->order.over(d->order.owner);
}

/* All were looked at.  Who is on the way to where the filter finds him arrives, or
 * goes elsewhere, also after the deadline. */
static void
drain_round(struct drain *d)
{
	uint64_t left = drain_time_left(d);
	bool none = d->found == 0;

	d->server = d->found = 0;
	if ((d->late || none) && drain_sessions(d) == 0)
		drain_is_done(d);
	else if (none)
		drain_wait(d, !d->late && left < IDLE_MS ? left : IDLE_MS);
	else
		drain_look(d);
}

static void
drain_back(void *arg)
{
	struct drain *d = arg;
	size_t found = tour_visit(d->tour)->found;

	d->ended += found;
	d->found += found;
	pace_took(&d->pace, found);
	if (tour_is_over(d->tour)) {
		tour_end(d->tour);
		d->tour = NULL;
		if (++d->server >= d->order.nservers) {
			drain_round(d);
			return;
		}
	}
	drain_look(d);
}

static struct tour *
drain_tour(struct drain *d)
{
	const struct drain_order *o = &d->order;
	struct tour *tour = tour_new(d->tours, drain_back, d);
	struct visit *v;

	if (tour == NULL)
		return NULL;
	v = tour_visit(tour);
	v->action = VISIT_KILL;
	v->filter = o->filter;
	if (o->nservers > 0)
		strcpy(v->filter.server, o->servers[d->server]->text);
	v->ending = o->ending;
	memcpy(v->who, o->who, sizeof(v->who));
	return tour;
}

static void
drain_go(struct drain *d, size_t due)
{
	if (d->tour == NULL && d->server == 0)
		d->late = due == PACE_ALL;
	if (d->tour == NULL)
		d->tour = drain_tour(d);
	if (d->tour == NULL) {
		log_error(-ENOMEM, "sessions that have to leave stay longer");
		drain_wait(d, IDLE_MS);
		return;
	}
	tour_visit(d->tour)->most = due < VISIT_BUDGET ? due : VISIT_BUDGET;
	tour_go(d->tour);
}

static void
drain_look(struct drain *d)
{
	uint64_t now = clock_ms(), left = drain_sessions(d);
	size_t due = pace_due(&d->pace, now, left);

	if (due > 0)
		drain_go(d, due);
	else
		drain_wait(d, pace_wait(&d->pace, now, left,
		    (uint32_t)random() << 1));
}

static void
drain_timer_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	drain_look(arg);
}

static int
drain_take_servers(struct drain *d, const struct drain_order *o)
{
	d->order.nservers = 0;
	d->order.servers = calloc(o->nservers + 1, sizeof(*o->servers));
	if (d->order.servers == NULL)
		return -ENOMEM;
	for (; d->order.nservers < o->nservers; d->order.nservers++)
		d->order.servers[d->order.nservers] =
		    server_state_ref(o->servers[d->order.nservers]);
	return 0;
}

struct drain *
drain_begin(struct event_base *base, struct tours *tours,
    const struct drain_order *order)
{
	const struct timeval at_once = { 0 };
	struct drain *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->tours = tours;
	d->order = *order;
	pace_init(&d->pace, clock_ms(), &order->rate, order->deadline);
	event_assign(&d->timer, base, -1, 0, drain_timer_event, d);
	if (drain_take_servers(d, order) == 0 &&
	    event_add(&d->timer, &at_once) == 0)
		return d;
	drain_end(d);
	return NULL;
}

void
drain_end(struct drain *d)
{
	if (d == NULL)
		return;
	event_del(&d->timer);
	tour_end(d->tour);
	for (size_t i = 0; i < d->order.nservers; i++)
		server_state_unref(d->order.servers[i]);
	free(d->order.servers);
	free(d);
}

bool
drain_is_over(const struct drain *d)
{
	return d->over;
}

size_t
drain_ended(const struct drain *d)
{
	return d->ended;
}
