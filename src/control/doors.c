#include "doors.h"

#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rows.h"
#include "config/places.h"
#include "crew.h"
#include "servers.h"

#define RETRY_MS 1000 /* when there was no memory to tell the workers */

struct door {
	bool shut;
	bool failed; /* it should be otherwise */
};

struct doors {
	struct event	      retry;
	const struct config  *config;
	struct crew	     *crew;
	const struct servers *servers;
	struct door	     *doors; /* by place of the listener */
};

bool
doors_is_open(const struct doors *d, size_t listener)
{
	return !d->doors[listener].shut;
}

static bool
doors_has_server(const struct doors *d, const struct upstream_conf *upstream)
{
	size_t all;

	return servers_up(d->servers, upstream->index, &all) > 0;
}

/* Wherever one of its rules leads counts, too. */
static bool
doors_leads_somewhere(const struct doors *d, const struct listener_conf *l)
{
	if (l->upstream->absence.how != ABSENCE_UNLISTEN ||
	    doors_has_server(d, l->upstream))
		return true;
	for (size_t i = 0; i < l->routes.count; i++)
		if (doors_has_server(d, l->routes.rules[i].upstream))
			return true;
	return false;
}

static bool
doors_lead_to(const struct listener_conf *l, size_t upstream)
{
	for (size_t i = 0; i < l->routes.count; i++)
		if (l->routes.rules[i].upstream->index == upstream)
			return true;
	return l->upstream->index == upstream;
}

static void
doors_try_again(struct doors *d)
{
	const struct timeval tv = { .tv_sec = RETRY_MS / 1000 };

	if (!event_pending(&d->retry, EV_TIMEOUT, NULL))
		event_add(&d->retry, &tv);
}

static void
doors_set(struct doors *d, const struct listener_conf *l, bool open)
{
	int error = crew_listen(d->crew, l, open);

	d->doors[l->index].failed = error < 0;
	if (error < 0) {
		log_error(error, "listener %s: cannot %s", l->name, open ?
		    "accept clients again" : "refuse clients");
		doors_try_again(d);
		return;
	}
	d->doors[l->index].shut = !open;
	if (open)
		log_info("listener %s: accepts clients again", l->name);
	else
		log_warn(0, "listener %s: no server is up, clients are refused "
		    "(on_no_server = unlisten)", l->name);
}

static void
doors_look_at(struct doors *d, const struct listener_conf *l)
{
	bool open = doors_leads_somewhere(d, l);

	if (open == d->doors[l->index].shut)
		doors_set(d, l, open);
}

static void
doors_retry_event(evutil_socket_t fd, short what, void *arg)
{
	struct doors *d = arg;

	(void)fd, (void)what;
	for (size_t i = 0; i < d->config->nlisteners; i++)
		if (d->doors[d->config->listeners[i].index].failed)
			doors_look_at(d, &d->config->listeners[i]);
}

void
doors_look(struct doors *d, size_t upstream)
{
	for (size_t i = 0; i < d->config->nlisteners; i++)
		if (doors_lead_to(&d->config->listeners[i], upstream))
			doors_look_at(d, &d->config->listeners[i]);
}

/* libevent keeps the memory that a timer took when it was first added. */
static int
doors_reserve(struct doors *d)
{
	const struct timeval tv = { .tv_sec = 1 };
	int error = event_add(&d->retry, &tv);

	event_del(&d->retry);
	return error;
}

void
doors_free(struct doors *d)
{
	if (d == NULL)
		return;
	event_del(&d->retry);
	rows_free(d->doors, sizeof(*d->doors));
	free(d);
}

struct doors *
doors_new(struct event_base *base, const struct config *config,
    struct crew *crew, const struct servers *servers)
{
	struct doors *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->config = config;
	d->crew = crew;
	d->servers = servers;
	d->doors = rows_new(sizeof(*d->doors), config->listener_places);
	event_assign(&d->retry, base, -1, 0, doors_retry_event, d);
	if (d->doors != NULL && doors_reserve(d) == 0)
		return d;
	doors_free(d);
	return NULL;
}

int
doors_grow(struct doors *d, const struct config *config)
{
	return rows_grow(d->doors, sizeof(*d->doors), config->listener_places);
}

/* At a place that was another's all begins open, as its sockets do. */
static void
doors_leave(struct doors *d, const struct config *config)
{
	for (size_t i = 0; i < d->config->nlisteners; i++) {
		size_t place = d->config->listeners[i].index;

		if (config_listener_at(config, place) == NULL)
			d->doors[place] = (struct door){ 0 };
	}
}

/* Of an upstream without servers nobody knows yet whether it has any. */
void
doors_follow(struct doors *d, const struct config *config)
{
	doors_leave(d, config);
	d->config = config;
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];
		size_t all;

		servers_up(d->servers, l->upstream->index, &all);
		if (d->doors[l->index].shut || all > 0)
			doors_look_at(d, l);
	}
}
