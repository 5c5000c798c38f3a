#include "evict.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "servers.h"

struct evict {
	struct server *server;
	struct tours  *tours;
	struct event   timer; /* the next share */
	struct tour   *tour;  /* NULL: none is under way */
	uint64_t       drain_timeout;
	unsigned       share; /* of VISIT_SHARES, that have to leave by now */
	size_t	       count; /* who was ended */
};

static bool
evict_kills(const struct evict *e)
{
	return e->server->upstream->on_down == ON_DOWN_KILL;
}

static void
evict_log(const struct evict *e)
{
	char name[SERVERS_NAME];

	if (e->count > 0)
		log_info("upstream %s: %zu session%s of server %s %s ended "
		    "(on_down = %s)", e->server->upstream->name, e->count,
		    e->count == 1 ? "" : "s", servers_name(e->server, name),
		    e->count == 1 ? "was" : "were",
		    evict_kills(e) ? "kill" : "drain");
}

static void
evict_wait(struct evict *e)
{
	uint64_t first = e->drain_timeout * 9 / 10;
	uint64_t ms = e->share == 0 ? first :
	    (e->drain_timeout - first) / VISIT_SHARES;
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (event_add(&e->timer, &tv) < 0)
		log_error(-ENOMEM, "upstream %s: sessions of server %s stay",
		    e->server->upstream->name, e->server->line->name);
}

static void
evict_back(void *arg)
{
	struct evict *e = arg;

	e->count += tour_visit(e->tour)->found;
	if (!tour_is_over(e->tour)) {
		tour_go(e->tour);
		return;
	}
	tour_end(e->tour);
	e->tour = NULL;
	if (e->share < VISIT_SHARES)
		evict_wait(e);
	else
		evict_log(e);
}

/* Ends those of its sessions that are connected and in the first shares. */
static void
evict_go(struct evict *e)
{
	const struct server *s = e->server;
	struct visit *v;

	e->tour = tour_new(e->tours, evict_back, e);
	if (e->tour == NULL) {
		log_error(-ENOMEM, "upstream %s: sessions of server %s stay",
		    s->upstream->name, s->line->name);
		return;
	}
	v = tour_visit(e->tour);
	v->action = VISIT_KILL;
	v->ending = (struct ending){ .by = BY_PROXY,
		.how = evict_kills(e) ? HOW_KILL : HOW_DRAIN,
		.cause = "the server went down", .rule = "on_down",
		.of_upstream = true };
	v->filter.connected = true;
	v->filter.share = e->share;
	snprintf(v->filter.upstream, sizeof(v->filter.upstream), "%s",
	    s->upstream->name);
	snprintf(v->filter.server, sizeof(v->filter.server), "%s",
	    s->state->text);
	snprintf(v->who, sizeof(v->who), "%s", s->line->name);
	tour_go(e->tour);
}

static void
evict_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct evict *e = arg;

	(void)fd, (void)what;
	e->share++;
	evict_go(e);
}

void
evict_begin(struct server *s, struct event_base *base, struct tours *tours,
    uint64_t drain_timeout)
{
	bool kills = s->upstream->on_down == ON_DOWN_KILL;
	struct evict *e;

	if (s->upstream->on_down == ON_DOWN_KEEP || tours == NULL ||
	    s->evict != NULL || (!kills && drain_timeout == 0))
		return;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return;
	e->server = s;
	e->tours = tours;
	e->drain_timeout = drain_timeout;
	e->share = kills ? VISIT_SHARES : 0;
	event_assign(&e->timer, base, -1, 0, evict_timer_event, e);
	s->evict = e;
	if (kills)
		evict_go(e);
	else
		evict_wait(e);
}

void
evict_end(struct server *s)
{
	struct evict *e = s->evict;

	if (e == NULL)
		return;
	if (e->tour != NULL || (e->share > 0 && e->share < VISIT_SHARES))
		evict_log(e);
	event_del(&e->timer);
	tour_end(e->tour);
	free(e);
	s->evict = NULL;
}
