#include "doors.h"

#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/log.h"
#include "crew.h"
#include "servers.h"

#define RETRY_MS 1000 /* when there was no memory to tell the workers */

struct doors {
	struct event	      retry;
	const struct config  *config;
	struct crew	     *crew;
	const struct servers *servers;
	struct door {
		bool shut;
		bool failed; /* it should be otherwise */
	} doors[]; /* by index of the listener */
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
		if (d->doors[i].failed)
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

struct doors *
doors_new(struct event_base *base, const struct config *config,
    struct crew *crew, const struct servers *servers)
{
	struct doors *d = calloc(1, sizeof(*d) +
	    config->nlisteners * sizeof(d->doors[0]));

	if (d == NULL)
		return NULL;
	d->config = config;
	d->crew = crew;
	d->servers = servers;
	event_assign(&d->retry, base, -1, 0, doors_retry_event, d);
	if (doors_reserve(d) == 0)
		return d;
	free(d);
	return NULL;
}

void
doors_free(struct doors *d)
{
	if (d != NULL)
		event_del(&d->retry);
	free(d);
}
