#include "elders.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

#define LOOK_MS 200 /* from one that was found to the next look */

/* A worker's clock is that of its turn, and a session's start another's: who is
 * as young as this may be counted, too. */
#define TURN_MS 50

struct elders {
	struct tours *tours;
	struct tour  *tour; /* NULL: none is under way */
	struct event  timer;
	uint64_t      since;
	elders_gone  *gone;
	void	     *owner;
};

static void
elders_wait(struct elders *e)
{
	const struct timeval tv = { .tv_usec = LOOK_MS * 1000 };

	if (event_add(&e->timer, &tv) < 0)
		log_error(-ENOMEM, "sessions that last are looked for no more");
}

static void
elders_back(void *arg)
{
	struct elders *e = arg;
	bool found = tour_visit(e->tour)->found > 0, over = tour_is_over(e->tour);

	if (!found && !over) {
		tour_go(e->tour);
		return;
	}
	tour_end(e->tour);
	e->tour = NULL;
	if (found)
		elders_wait(e);
	else
		e->gone(e->owner);
}

static void
elders_look(evutil_socket_t fd, short what, void *arg)
{
	struct elders *e = arg;
	uint64_t age = clock_ms() - e->since;
	struct visit *v;

	(void)fd, (void)what;
	e->tour = tour_new(e->tours, elders_back, e);
	if (e->tour == NULL) {
		elders_wait(e);
		return;
	}
	v = tour_visit(e->tour);
	v->most = 1;
	if (age > ELDERS_MS)
		age = ELDERS_MS;
	v->filter.min_age_ms = age > TURN_MS ? age - TURN_MS : 0;
	tour_go(e->tour);
}

struct elders *
elders_begin(struct event_base *base, struct tours *tours, elders_gone *gone,
    void *owner)
{
	const struct timeval at_once = { 0 };
	struct elders *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	*e = (struct elders){ .tours = tours, .since = clock_ms(),
		.gone = gone, .owner = owner };
	event_assign(&e->timer, base, -1, 0, elders_look, e);
	if (event_add(&e->timer, &at_once) == 0)
		return e;
	free(e);
	return NULL;
}

void
elders_end(struct elders *e)
{
	if (e == NULL)
		return;
	event_del(&e->timer);
	tour_end(e->tour);
	free(e);
}
