#include "servers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/log.h"
#include "base/rows.h"
#include "doors.h"
#include "evict.h"
#include "health.h"
#include "proxy/waitlist.h"

TAILQ_HEAD(server_list, server);

struct servers {
	struct event_base   *base;
	const struct config *config;
	struct tours	    *tours; /* NULL: nobody is ended */
	struct doors	    *doors; /* NULL: all stay open */
	struct waitlist	    *waits; /* by upstream; NULL: nobody waits */
	servers_missed	    *missed; /* NULL: nobody is told */
	void		    *missed_arg;
	struct changes	     changes;
	struct evict_list    removed; /* their sessions are being ended */
	struct server_list  *upstreams; /* by place: base/rows.h */
	size_t		     places;
};

static unsigned
server_out(const struct server *s)
{
	return atomic_load_explicit(&s->state->out, memory_order_relaxed);
}

struct servers *
servers_new(struct event_base *base, const struct config *config,
    struct waitlist *waits)
{
	struct servers *servers = calloc(1, sizeof(*servers));

	if (servers == NULL)
		return NULL;
	servers->base = base;
	servers->config = config;
	servers->waits = waits;
	changes_init(&servers->changes);
	TAILQ_INIT(&servers->removed);
	servers->upstreams = rows_new(sizeof(*servers->upstreams), 0);
	if (servers->upstreams != NULL && servers_grow(servers, config) == 0)
		return servers;
	servers_free(servers);
	return NULL;
}

int
servers_grow(struct servers *servers, const struct config *config)
{
	size_t places = config->upstream_places;
	int error = rows_grow(servers->upstreams, sizeof(*servers->upstreams),
	    places);

	for (; error == 0 && servers->places < places; servers->places++)
		TAILQ_INIT(&servers->upstreams[servers->places]);
	return error;
}

void
servers_set_config(struct servers *servers, const struct config *config)
{
	servers->config = config;
}

void
servers_set_tours(struct servers *servers, struct tours *tours)
{
	servers->tours = tours;
}

void
servers_set_doors(struct servers *servers, struct doors *doors)
{
	servers->doors = doors;
}

void
servers_set_missed(struct servers *servers, servers_missed *missed, void *arg)
{
	servers->missed = missed;
	servers->missed_arg = arg;
}

void
server_miss(const struct server *s)
{
	if (s->servers->missed != NULL)
		s->servers->missed(s->servers->missed_arg, s);
}

static void
server_forget(struct server *s)
{
	health_end(s);
	eject_end(s);
	evict_end(s);
	TAILQ_REMOVE(&s->servers->upstreams[s->upstream->index], s, link);
	server_state_unref(s->state);
	endpoint_set_unref(s->set);
	free(s);
}

void
servers_leave(struct servers *servers, size_t upstream)
{
	struct server *s;

	while ((s = TAILQ_FIRST(&servers->upstreams[upstream])) != NULL)
		server_forget(s);
}

void
servers_free(struct servers *servers)
{
	if (servers == NULL)
		return;
	for (size_t i = 0; i < servers->places; i++)
		servers_leave(servers, i);
	evict_end_all(&servers->removed);
	rows_free(servers->upstreams, sizeof(*servers->upstreams));
	changes_done(&servers->changes);
	free(servers);
}

struct server *
servers_next(const struct servers *servers, size_t upstream,
    const struct server *s)
{
	return s == NULL ? TAILQ_FIRST(&servers->upstreams[upstream]) :
	    TAILQ_NEXT(s, link);
}

struct server *
servers_find(const struct servers *servers, size_t upstream,
    const struct server_state *state)
{
	struct server *s = NULL;

	while ((s = servers_next(servers, upstream, s)) != NULL)
		if (s->state == state)
			return s;
	return NULL;
}

size_t
servers_up(const struct servers *servers, size_t upstream, size_t *all)
{
	struct server *s = NULL;
	size_t up = 0;

	*all = 0;
	while ((s = servers_next(servers, upstream, s)) != NULL) {
		++*all;
		up += server_out(s) == 0;
	}
	return up;
}

size_t
servers_places(const struct servers *servers)
{
	return servers->places;
}

uint64_t
servers_sessions(const struct servers *servers, size_t upstream)
{
	const struct server *s = NULL;
	uint64_t sum = 0;

	while ((s = servers_next(servers, upstream, s)) != NULL)
		sum += atomic_load_explicit(&s->state->sessions,
		    memory_order_relaxed);
	return sum;
}

/* --- changes */

/* Its sessions may fare well while it is ejected or drained. */
static void
server_judge_sessions(struct server *s)
{
	if (server_state_is_down(s->state))
		evict_begin(s, s->servers->base, s->servers->tours,
		    s->servers->config->global.drain_timeout);
	else
		evict_end(s);
}

/* An ejected server is better than none. */
static void
servers_save(struct servers *servers, size_t upstream)
{
	struct server *s = NULL;
	size_t all;

	if (servers_up(servers, upstream, &all) > 0)
		return;
	while ((s = servers_next(servers, upstream, s)) != NULL)
		if (server_out(s) == SERVER_EJECTED)
			servers_change(s, 0, SERVER_EJECTED, "no other server "
			    "is up");
}

void
servers_change(struct server *s, unsigned set, unsigned clear,
    const char *cause)
{
	unsigned old = server_out(s), out = (old & ~clear) | set;
	uint64_t now = clock_ms(), spell = now - s->since;

	if (out == old)
		return;
	if ((old & clear & SERVER_EJECTED) != 0)
		eject_over(s);
	if (out == 0)
		atomic_store_explicit(&s->state->up_since, now,
		    memory_order_relaxed);
	atomic_store(&s->state->out, out); /* before waitlist_wake() looks */
	if (out == 0 && s->servers->waits != NULL)
		waitlist_wake(&s->servers->waits[s->upstream->index]);
	snprintf(s->cause, sizeof(s->cause), "%s", cause);
	for (size_t i = 0; i < SERVERS_OUTS; i++)
		if ((out & ~old & servers_out_bits(i)) != 0)
			snprintf(s->causes[i], sizeof(s->causes[i]), "%s",
			    cause);
	if ((old == 0) != (out == 0)) {
		s->changes++;
		s->since = now;
	}
	server_log(s, out & ~old, out, spell);
	server_judge_sessions(s);
	if (out != 0)
		servers_save(s->servers, s->upstream->index);
	if ((old == 0) != (out == 0) && s->servers->doors != NULL)
		doors_look(s->servers->doors, s->upstream->index);
}

/* --- who there is */

/* What an operator said before it came holds at once, and is no news; what was
 * found out of one that has been here before is over. */
static int
server_meet(struct servers *servers, const struct upstream_conf *conf,
    struct endpoint_set *set, const struct endpoint *e)
{
	struct server *s = calloc(1, sizeof(*s));
	const struct change *said;

	if (s == NULL)
		return -ENOMEM;
	s->servers = servers;
	s->upstream = conf;
	s->line = &conf->servers[e->line];
	s->state = server_state_ref(e->server);
	s->set = endpoint_set_ref(set);
	s->since = clock_ms();
	s->follows = true;
	TAILQ_INSERT_TAIL(&servers->upstreams[set->upstream], s, link);
	evict_returned(&servers->removed, s->state);
	said = server_said(s, CHANGE_STATE);
	if (said != NULL)
		snprintf(s->causes[OUT_BY_OPERATOR],
		    sizeof(s->causes[OUT_BY_OPERATOR]), "by %s", said->who);
	atomic_store_explicit(&s->state->out, said != NULL ? said->value : 0,
	    memory_order_relaxed);
	atomic_store_explicit(&s->state->row, 0, memory_order_relaxed);
	eject_begin(s, servers->base);
	return health_begin(s, servers->base);
}

static bool
server_conf_leads_to(const struct server_conf *a, const struct server_conf *b)
{
	if (a->host == NULL || b->host == NULL)
		return a->host == b->host && addr_equal(&a->addr, &b->addr);
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	    a->srv == b->srv;
}

/* Not if its name gives other addresses now. */
static bool
server_is_removed(const struct server *s, const struct upstream_conf *conf)
{
	if (s->upstream == conf)
		return false;
	for (size_t i = 0; i < conf->nservers; i++)
		if (server_conf_leads_to(s->line, &conf->servers[i]))
			return false;
	return true;
}

static void
servers_sweep(struct servers *servers, const struct upstream_conf *conf)
{
	struct server *s, *next;

	s = servers_next(servers, conf->index, NULL);
	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (s->follows)
			continue;
		if (server_is_removed(s, conf))
			evict_removed(s, conf, servers->base, servers->tours,
			    servers->config->global.drain_timeout,
			    &servers->removed);
		server_forget(s);
	}
}

/* What its upstream says of checks and ejection may be new; what has been found
 * out so far still holds. */
static int
server_obey(struct server *s, const struct upstream_conf *conf,
    struct endpoint_set *set, const struct endpoint *e)
{
	bool is_new = s->upstream != conf;

	endpoint_set_unref(s->set);
	s->set = endpoint_set_ref(set);
	s->follows = true;
	s->upstream = conf;
	s->line = &conf->servers[e->line];
	server_heed(s);
	if (!is_new && (s->watch != NULL || conf->check == CHECK_OFF))
		return 0;
	if (conf->check == CHECK_OFF)
		servers_change(s, 0, SERVER_FAILING, "it is no longer checked");
	if (conf->eject_after == 0)
		servers_change(s, 0, SERVER_EJECTED, "eject_after is off");
	return health_follow(s, s->servers->base);
}

void
servers_keep(struct servers *servers, const struct upstream_conf *conf)
{
	struct server *s = NULL;

	while ((s = servers_next(servers, conf->index, s)) != NULL) {
		s->line = &conf->servers[s->line - s->upstream->servers];
		s->upstream = conf;
		health_keep(s);
	}
}

int
servers_follow(struct servers *servers, const struct upstream_conf *conf,
    struct endpoint_set *set)
{
	struct server *s = NULL;
	int error = 0;

	while ((s = servers_next(servers, set->upstream, s)) != NULL)
		s->follows = false;
	for (size_t i = 0; error == 0 && i < set->count; i++) {
		const struct endpoint *e = &set->endpoints[i];

		s = servers_find(servers, set->upstream, e->server);
		if (s == NULL)
			error = server_meet(servers, conf, set, e);
		else if (!s->follows)
			error = server_obey(s, conf, set, e);
	}
	if (error < 0)
		return error;
	servers_sweep(servers, conf);
	if (set->count > 0 && servers->doors != NULL)
		doors_look(servers->doors, set->upstream);
	return 0;
}

uint32_t
servers_weight(const struct servers *servers,
    const struct upstream_conf *upstream, const struct server_conf *line,
    const struct server_state *state, uint32_t weight)
{
	const struct change *said = changes_find(&servers->changes,
	    upstream->name, line->name, state->text, CHANGE_WEIGHT);

	return said != NULL && said->value != 0 ? said->value : weight;
}

struct changes *
servers_changes(struct servers *servers)
{
	return &servers->changes;
}
