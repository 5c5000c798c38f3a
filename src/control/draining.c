#include "draining.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/places.h"
#include "doors.h"
#include "drain.h"
#include "servers.h"

/* --- who it is about */

const char *
draining_name(const struct draining *d, char *text)
{
	static const char *const words[] = { [DRAIN_LISTENER] = "listener",
		[DRAIN_UPSTREAM] = "upstream", [DRAIN_SERVER] = "server" };

	snprintf(text, DRAINING_TEXT, "%s %s%s%s", words[d->of], d->name,
	    d->server[0] != '\0' ? "/" : "", d->server);
	return text;
}

static const struct listener_conf *
draining_listener(const struct draining *d)
{
	return config_listener_named(d->view->config, d->name);
}

static const struct upstream_conf *
draining_upstream(const struct draining *d)
{
	return config_upstream_named(d->view->config, d->name);
}

/* The next server that it is about, and that an operator drains. */
static struct server *
draining_server(const struct draining *d, const struct upstream_conf *upstream,
    const struct server *s)
{
	struct server *next = NULL;

	if (upstream == NULL)
		return NULL;
	while ((next = servers_next(d->view->servers, upstream->index, s)) !=
	    NULL) {
		s = next;
		if ((atomic_load(&next->state->out) & SERVER_DRAINING) != 0 &&
		    (d->of == DRAIN_UPSTREAM ||
		    server_has_name(next, d->server)))
			return next;
	}
	return NULL;
}

/* By where they are in memory. */
static int
states_compare(const void *a, const void *b)
{
	uintptr_t of_a = (uintptr_t)*(struct server_state *const *)a;
	uintptr_t of_b = (uintptr_t)*(struct server_state *const *)b;

	return (of_a > of_b) - (of_a < of_b);
}

static bool
draining_began_with(const struct draining *d, const struct server_state *state)
{
	return d->nstates > 0 && bsearch(&state, d->states, d->nstates,
	    sizeof(*d->states), states_compare) != NULL;
}

static uint64_t
state_sessions(const struct server_state *state)
{
	if ((atomic_load(&state->out) & SERVER_DRAINING) == 0)
		return 0;
	return atomic_load_explicit(&state->taken, memory_order_relaxed);
}

/* Its name may give other addresses by now: those of before still have sessions,
 * and no others do. */
static uint64_t
draining_left_at_servers(const struct draining *d)
{
	const struct upstream_conf *upstream = draining_upstream(d);
	struct server *s = NULL;
	uint64_t sum = 0;

	for (size_t i = 0; i < d->nstates; i++)
		sum += state_sessions(d->states[i]);
	while ((s = draining_server(d, upstream, s)) != NULL)
		if (!draining_began_with(d, s->state))
			sum += state_sessions(s->state);
	return sum;
}

uint64_t
draining_left(const struct draining *d)
{
	const struct listener_conf *l;

	if (d->of != DRAIN_LISTENER)
		return draining_left_at_servers(d);
	l = draining_listener(d);
	return l == NULL ? 0 : crew_shared(d->view->crew)->
	    listeners[l->index].used;
}

uint64_t
draining_ended(const struct draining *d)
{
	return d->drain == NULL ? 0 : drain_ended(d->drain);
}

uint64_t
draining_time_left(const struct draining *d)
{
	return d->drain == NULL || drain_is_over(d->drain) ? PACE_NEVER :
	    drain_time_left(d->drain);
}

/* --- one of them */

void
draining_free(struct draining *d)
{
	drain_end(d->drain);
	for (size_t i = 0; i < d->nstates; i++)
		server_state_unref(d->states[i]);
	free(d->states);
	free(d->name);
	free(d->server);
	free(d);
}

struct draining *
draining_new(struct event_base *base, const struct admin_view *view,
    const struct drain_about *about)
{
	struct draining *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->base = base;
	d->view = view;
	d->of = about->of;
	d->rate = about->rate;
	d->name = strdup(about->of == DRAIN_LISTENER ? about->listener->name :
	    about->upstream->name);
	d->server = strdup(about->of == DRAIN_SERVER ? about->server : "");
	snprintf(d->who, sizeof(d->who), "%s", about->who);
	d->at = clock_wall();
	d->since = clock_ms();
	if (d->name != NULL && d->server != NULL)
		return d;
	draining_free(d);
	return NULL;
}

bool
draining_is(const struct draining *d, const struct drain_about *about)
{
	const char *name = about->of == DRAIN_LISTENER ? about->listener->name :
	    about->upstream->name;
	const char *server = about->of == DRAIN_SERVER ? about->server : "";

	return d->of == about->of && strcmp(d->name, name) == 0 &&
	    strcmp(d->server, server) == 0;
}

/* --- sessions that leave */

static uint64_t
draining_left_of(void *arg)
{
	return draining_left(arg);
}

static void
draining_over(void *arg)
{
	const struct draining *d = arg;
	char name[DRAINING_TEXT];

	log_info("%s: drained, %ju session%s ended", draining_name(d, name),
	    (uintmax_t)draining_ended(d), draining_ended(d) == 1 ? " was" :
	    "s were");
}

static void
draining_order(struct draining *d, const struct drain_about *about,
    struct drain_order *o)
{
	static const char *const causes[] = {
		[DRAIN_LISTENER] = "the listener is drained",
		[DRAIN_UPSTREAM] = "the upstream is drained",
		[DRAIN_SERVER] = "the server is drained" };

	*o = (struct drain_order){ .rate = about->rate,
		.deadline = about->deadline, .left = draining_left_of,
		.over = draining_over, .owner = d };
	o->ending = (struct ending){ .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = causes[d->of] };
	snprintf(o->who, sizeof(o->who), "by %s", d->who);
	if (d->of == DRAIN_LISTENER) {
		snprintf(o->filter.listener, sizeof(o->filter.listener), "%s",
		    d->name);
		return;
	}
	snprintf(o->filter.upstream, sizeof(o->filter.upstream), "%s",
	    d->name);
	o->filter.connected = true;
	o->filter.draining = true;
}

static size_t
draining_count_servers(const struct draining *d)
{
	const struct upstream_conf *upstream = draining_upstream(d);
	struct server *s = NULL;
	size_t count = 0;

	while ((s = draining_server(d, upstream, s)) != NULL)
		count++;
	return count;
}

/* A name may have several addresses, and sessions at those that it has now. */
static int
draining_take_states(struct draining *d)
{
	const struct upstream_conf *upstream = draining_upstream(d);
	struct server *s = NULL;

	if (d->of == DRAIN_LISTENER)
		return 0;
	d->states = calloc(draining_count_servers(d) + 1, sizeof(*d->states));
	if (d->states == NULL)
		return -ENOMEM;
	while ((s = draining_server(d, upstream, s)) != NULL)
		d->states[d->nstates++] = server_state_ref(s->state);
	qsort(d->states, d->nstates, sizeof(*d->states), states_compare);
	return 0;
}

int
draining_go(struct draining *d, const struct drain_about *about)
{
	struct drain_order order;
	int error = draining_take_states(d);

	if (error < 0 || (about->rate.count == 0 &&
	    about->deadline == PACE_NEVER))
		return error;
	draining_order(d, about, &order);
	if (d->of == DRAIN_SERVER) {
		order.servers = d->states;
		order.nservers = d->nstates;
		if (order.nservers == 0)
			return 0;
	}
	d->drain = drain_begin(d->base, d->view->tours, &order);
	return d->drain == NULL ? -ENOMEM : 0;
}

/* --- no new ones, and new ones again */

static const struct change *
operator_said(const struct admin_view *view,
    const struct upstream_conf *upstream, const char *server)
{
	return changes_find(servers_changes(view->servers), upstream->name,
	    server, server, CHANGE_STATE);
}

/* A server that is down by an operator's word stays so. */
static int
upstream_set(const struct admin_view *view,
    const struct upstream_conf *upstream, unsigned from, unsigned to,
    const char *who)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < upstream->nservers; i++) {
		const char *name = upstream->servers[i].name;
		const struct change *said = operator_said(view, upstream, name);

		if ((said == NULL ? 0 : said->value) == from)
			error = servers_set_out(view->servers, upstream,
			    name, to, who);
	}
	return error;
}

int
draining_set(const struct admin_view *view, const struct drain_about *about,
    bool drained)
{
	unsigned out = drained ? SERVER_DRAINING : 0;

	switch (about->of) {
	case DRAIN_LISTENER:
		doors_drain(view->doors, about->listener, drained);
		return 0;
	case DRAIN_UPSTREAM:
		return upstream_set(view, about->upstream,
		    SERVER_DRAINING & ~out, out, about->who);
	case DRAIN_SERVER:
		return servers_set_out(view->servers, about->upstream,
		    about->server, out, about->who);
	}
	return 0;
}

/* --- what else changes */

static bool
server_is_drained(const struct admin_view *view,
    const struct upstream_conf *upstream, const char *server)
{
	const struct change *said = operator_said(view, upstream, server);

	return said != NULL && said->value == SERVER_DRAINING;
}

/* An address may be gone for the time being while its name is still drained. */
bool
draining_holds(const struct draining *d)
{
	const struct upstream_conf *upstream = draining_upstream(d);

	if (d->of == DRAIN_LISTENER)
		return draining_listener(d) != NULL;
	if (upstream == NULL)
		return false;
	if (draining_server(d, upstream, NULL) != NULL)
		return true;
	if (d->of == DRAIN_SERVER)
		return server_is_drained(d->view, upstream, d->server);
	for (size_t i = 0; i < upstream->nservers; i++)
		if (server_is_drained(d->view, upstream,
		    upstream->servers[i].name))
			return true;
	return false;
}

int
draining_follow(const struct draining *d)
{
	const struct upstream_conf *upstream = draining_upstream(d);

	if (d->of != DRAIN_UPSTREAM || upstream == NULL)
		return 0;
	return upstream_set(d->view, upstream, 0, SERVER_DRAINING, d->who);
}
