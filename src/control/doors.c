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
	enum listen_how how;
	bool		drained; /* by an operator */
	bool		failed; /* it should be otherwise */
	bool		stale;	/* it has ports that were not told */
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
	return d->doors[listener].how == LISTEN_ON;
}

bool
doors_is_drained(const struct doors *d, size_t listener)
{
	return d->doors[listener].drained;
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
doors_say(const struct listener_conf *l, enum listen_how how)
{
	switch (how) {
	case LISTEN_ON:
		log_info("listener %s: accepts clients again", l->name);
		break;
	case LISTEN_OFF:
		log_warn(0, "listener %s: no server is up, clients are refused "
		    "(on_no_server = unlisten)", l->name);
		break;
	case LISTEN_RESTS:
		break; /* who did it says so */
	}
}

static bool
doors_tell(struct doors *d, const struct listener_conf *l, enum listen_how how)
{
	int error = crew_listen(d->crew, l, how);

	d->doors[l->index].failed = error < 0;
	if (error == 0)
		return true;
	log_error(error, "listener %s: cannot %s", l->name, how == LISTEN_ON ?
	    "accept clients again" : "refuse clients");
	doors_try_again(d);
	return false;
}

static enum listen_how
doors_how(const struct doors *d, const struct listener_conf *l)
{
	if (d->doors[l->index].drained)
		return LISTEN_RESTS;
	return doors_leads_somewhere(d, l) ? LISTEN_ON : LISTEN_OFF;
}

static void
doors_look_at(struct doors *d, const struct listener_conf *l)
{
	struct door *door = &d->doors[l->index];
	enum listen_how how = doors_how(d, l);

	if (how == door->how && !door->stale) {
		door->failed = false;
		return;
	}
	if (!doors_tell(d, l, how))
		return;
	door->stale = false;
	if (how != door->how)
		doors_say(l, how);
	door->how = how;
}

void
doors_drain(struct doors *d, const struct listener_conf *l, bool drains)
{
	d->doors[l->index].drained = drains;
	doors_look_at(d, l);
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

/* Of an upstream without servers nobody knows yet whether it has any.  A port
 * that is new does not know that its door is shut. */
void
doors_follow(struct doors *d, const struct config *config)
{
	doors_leave(d, config);
	d->config = config;
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];
		size_t all;

		servers_up(d->servers, l->upstream->index, &all);
		d->doors[l->index].stale = !doors_is_open(d, l->index);
		if (d->doors[l->index].stale || all > 0)
			doors_look_at(d, l);
	}
}
