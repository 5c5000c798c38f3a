#include "drains.h"

#include <errno.h>
#include <stdlib.h>

#include "admin.h"
#include "base/log.h"
#include "doors.h"

TAILQ_HEAD(draining_list, draining);

struct drains {
	struct event_base	*base;
	const struct admin_view *view;
	struct draining_list	 list;
};

static void
drains_remove(struct drains *drains, struct draining *d)
{
	TAILQ_REMOVE(&drains->list, d, link);
	draining_free(d);
}

static struct draining *
drains_add(struct drains *drains, const struct drain_about *about)
{
	struct draining *d = draining_new(drains->base, drains->view, about);

	if (d != NULL)
		TAILQ_INSERT_TAIL(&drains->list, d, link);
	return d;
}

static struct draining *
drains_find(struct drains *drains, const struct drain_about *about)
{
	struct draining *d;

	TAILQ_FOREACH(d, &drains->list, link)
		if (draining_is(d, about))
			return d;
	return NULL;
}

static void
drains_log(const struct draining *d)
{
	uint64_t left = draining_left(d);
	char name[DRAINING_TEXT];

	log_info("%s: drains, %ju session%s, by %s", draining_name(d, name),
	    (uintmax_t)left, left == 1 ? "" : "s", d->who);
}

int
drains_begin(struct drains *drains, const struct drain_about *about)
{
	struct draining *before = drains_find(drains, about);
	struct draining *d = drains_add(drains, about);
	int error;

	if (d == NULL)
		return -ENOMEM;
	error = draining_set(drains->view, about, true);
	if (error == 0)
		error = draining_go(d, about);
	if (error < 0 && error != -ENOENT && before == NULL)
		draining_set(drains->view, about, false);
	if (error < 0) {
		drains_remove(drains, d);
		return error;
	}
	if (before != NULL)
		drains_remove(drains, before);
	drains_log(d);
	return 0;
}

int
drains_cancel(struct drains *drains, const struct drain_about *about)
{
	struct draining *d = drains_find(drains, about);
	char name[DRAINING_TEXT];
	int error;

	if (d == NULL)
		return -ENOENT;
	error = draining_set(drains->view, about, false);
	if (error < 0)
		return error;
	log_info("%s: drains no more, by %s", draining_name(d, name),
	    about->who);
	drains_remove(drains, d);
	drains_look(drains);
	return 0;
}

void
drains_look(struct drains *drains)
{
	struct draining *d, *next;

	for (d = TAILQ_FIRST(&drains->list); d != NULL; d = next) {
		next = TAILQ_NEXT(d, link);
		if (!draining_holds(d))
			drains_remove(drains, d);
	}
}

void
drains_follow(struct drains *drains)
{
	struct draining *d;

	TAILQ_FOREACH(d, &drains->list, link)
		if (draining_follow(d) < 0)
			log_error(-ENOMEM, "upstream %s: a new server is not "
			    "drained", d->name);
	drains_look(drains);
}

const struct draining *
drains_next(const struct drains *drains, const struct draining *d)
{
	return d == NULL ? TAILQ_FIRST(&drains->list) : TAILQ_NEXT(d, link);
}

const struct draining *
drains_last(const struct drains *drains)
{
	return TAILQ_LAST(&drains->list, draining_list);
}

bool
drains_all(const struct drains *drains)
{
	const struct config *config = drains->view->config;

	for (size_t i = 0; i < config->nlisteners; i++)
		if (!doors_is_drained(drains->view->doors,
		    config->listeners[i].index))
			return false;
	return config->nlisteners > 0;
}

struct drains *
drains_new(struct event_base *base, const struct admin_view *view)
{
	struct drains *drains = calloc(1, sizeof(*drains));

	if (drains == NULL)
		return NULL;
	drains->base = base;
	drains->view = view;
	TAILQ_INIT(&drains->list);
	return drains;
}

void
drains_free(struct drains *drains)
{
	struct draining *d;

	if (drains == NULL)
		return;
	while ((d = TAILQ_FIRST(&drains->list)) != NULL)
		drains_remove(drains, d);
	free(drains);
}
