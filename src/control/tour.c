#include "tour.h"

#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

struct tours {
	struct crew	       *crew;
	struct box	       *home;
	struct event		event;
	LIST_HEAD(, tour)	list;
};

struct tour {
	LIST_ENTRY(tour) link;
	struct tours	*tours;
	tour_back	*back;	/* NULL: nobody waits any more */
	void		*owner;
	bool		 out;
	size_t		 next;	/* the worker to ask now */
	size_t		 asked; /* the one that was asked last */
	struct visit	 visit;
};

static void
tour_free(struct tour *t)
{
	LIST_REMOVE(t, link);
	free(t);
}

static size_t
tour_workers(const struct tour *t)
{
	return crew_size(t->tours->crew);
}

/* Who refuses has stopped, and has no sessions any more.  With nobody left the
 * visit comes home by itself: back() is for the loop to call. */
static void
tour_send(struct tour *t)
{
	struct visit *v = &t->visit;

	t->out = true;
	for (; t->next < tour_workers(t); t->next++) {
		t->asked = t->next;
		if (worker_mail(crew_worker(t->tours->crew, t->next),
		    &v->mail))
			return;
		v->place.begun = false;
		v->below = 0;
	}
	v->found = 0;
	v->done = true;
	box_put(t->tours->home, &v->mail.item);
}

void
tour_go(struct tour *t)
{
	if (!t->out)
		tour_send(t);
}

/* A worker that still knows the visit's place has to forget it first. */
static void
tour_leave(struct tour *t)
{
	if (!t->visit.place.begun) {
		tour_free(t);
		return;
	}
	t->visit.action = VISIT_CANCEL;
	if (worker_mail(crew_worker(t->tours->crew, t->next), &t->visit.mail))
		t->out = true;
	else
		tour_free(t);
}

static void
tour_home(struct tour *t)
{
	struct visit *v = &t->visit;

	t->out = false;
	if (v->done && t->next < tour_workers(t)) {
		t->next++;
		v->below = 0;
	}
	if (v->filter.id != 0 && v->found > 0)
		t->next = tour_workers(t);
	if (t->back != NULL)
		t->back(t->owner);
	else
		tour_leave(t);
}

static void
tours_home_event(evutil_socket_t fd, short what, void *arg)
{
	struct tours *tours = arg;
	struct box_list list;
	struct visit *v;

	(void)fd, (void)what;
	box_take(tours->home, &list);
	while ((v = visit_next(&list)) != NULL)
		tour_home(BOX_OWNER(v, struct tour, visit));
}

/* In a box a visit is still its tour's. */
static void
tours_drop(struct box_item *item)
{
	(void)item;
}

struct tours *
tours_new(struct event_base *base, struct crew *crew)
{
	struct tours *tours = calloc(1, sizeof(*tours));

	if (tours == NULL)
		return NULL;
	tours->crew = crew;
	LIST_INIT(&tours->list);
	tours->home = box_new(tours_drop);
	if (tours->home == NULL) {
		free(tours);
		return NULL;
	}
	event_assign(&tours->event, base, box_fd(tours->home),
	    EV_READ | EV_PERSIST, tours_home_event, tours);
	if (event_add(&tours->event, NULL) == 0)
		return tours;
	box_unref(tours->home);
	free(tours);
	return NULL;
}

void
tours_free(struct tours *tours)
{
	struct tour *t;

	if (tours == NULL)
		return;
	event_del(&tours->event);
	box_unref(tours->home); /* it may still hold visits of those tours */
	while ((t = LIST_FIRST(&tours->list)) != NULL)
		tour_free(t);
	free(tours);
}

struct tour *
tour_new(struct tours *tours, tour_back *back, void *owner)
{
	struct tour *t = malloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	memset(t, 0, offsetof(struct tour, visit));
	visit_init(&t->visit, tours->home);
	t->tours = tours;
	t->back = back;
	t->owner = owner;
	LIST_INSERT_HEAD(&tours->list, t, link);
	return t;
}

void
tour_skip(struct tour *t, size_t worker, uint64_t below)
{
	t->next = worker;
	t->visit.below = below;
}

struct visit *
tour_visit(struct tour *t)
{
	return t->out ? NULL : &t->visit;
}

size_t
tour_worker(const struct tour *t)
{
	return t->asked;
}

bool
tour_is_over(const struct tour *t)
{
	return !t->out && t->next >= tour_workers(t);
}

void
tour_end(struct tour *t)
{
	if (t == NULL)
		return;
	t->back = NULL;
	if (!t->out)
		tour_leave(t);
}
