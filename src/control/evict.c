#include "evict.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "drain.h"
#include "servers.h"

struct evict {
	TAILQ_ENTRY(evict)   link; /* where the server is removed */
	struct evict_list   *list; /* NULL: it is not */
	struct server_state *state; /* one reference */
	struct drain	    *drain;
	bool		     kills;
	char		     upstream[CLOSERECORD_NAME];
	char		     name[SERVERS_NAME];
};

static void
evict_free(struct evict *e)
{
	drain_end(e->drain);
	server_state_unref(e->state);
	if (e->list != NULL)
		TAILQ_REMOVE(e->list, e, link);
	free(e);
}

static void
evict_log(const struct evict *e)
{
	size_t count = drain_ended(e->drain);

	if (count > 0)
		log_info("upstream %s: %zu session%s of server %s %s ended "
		    "(on_down = %s)", e->upstream, count, count == 1 ? "" : "s",
		    e->name, count == 1 ? "was" : "were",
		    e->kills ? "kill" : "drain");
}

static uint64_t
evict_left(void *arg)
{
	const struct evict *e = arg;

	return atomic_load_explicit(&e->state->taken, memory_order_relaxed);
}

static void
evict_over(void *arg)
{
	struct evict *e = arg;

	evict_log(e);
	if (e->list != NULL)
		evict_free(e);
}

/* Only who is connected: a session on its way to a server that is down goes to
 * another one. */
static struct drain *
evict_drain(struct evict *e, struct event_base *base, struct tours *tours,
    const char *line, uint64_t deadline)
{
	struct drain_order order = { .left = evict_left, .over = evict_over,
		.owner = e, .deadline = deadline, .servers = &e->state,
		.nservers = 1 };

	order.ending = (struct ending){ .by = BY_PROXY,
		.how = e->kills ? HOW_KILL : HOW_DRAIN,
		.cause = e->list != NULL ? "the server was removed" :
		    "the server went down",
		.rule = "on_down", .of_upstream = true };
	order.filter.connected = true;
	snprintf(order.filter.upstream, sizeof(order.filter.upstream), "%s",
	    e->upstream);
	snprintf(order.who, sizeof(order.who), "%s", line);
	return drain_begin(base, tours, &order);
}

static struct evict *
evict_make(const struct server *s, const struct upstream_conf *conf,
    struct evict_list *list)
{
	struct evict *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->state = server_state_ref(s->state);
	e->kills = conf->on_down == ON_DOWN_KILL;
	snprintf(e->upstream, sizeof(e->upstream), "%s", conf->name);
	servers_name(s, e->name);
	e->list = list;
	if (list != NULL)
		TAILQ_INSERT_TAIL(list, e, link);
	return e;
}

/* NULL: its sessions stay, as they may or for want of memory. */
static struct evict *
evict_new(const struct server *s, const struct upstream_conf *conf,
    struct event_base *base, struct tours *tours, uint64_t drain_timeout,
    struct evict_list *list)
{
	bool kills = conf->on_down == ON_DOWN_KILL;
	struct evict *e;

	if (conf->on_down == ON_DOWN_KEEP || tours == NULL ||
	    (!kills && drain_timeout == 0))
		return NULL;
	e = evict_make(s, conf, list);
	if (e != NULL)
		e->drain = evict_drain(e, base, tours, s->line->name,
		    kills ? 0 : drain_timeout);
	if (e != NULL && e->drain != NULL)
		return e;
	log_error(-ENOMEM, "upstream %s: sessions of a server that should "
	    "leave stay (on_down = %s)", conf->name, kills ? "kill" : "drain");
	if (e != NULL)
		evict_free(e);
	return NULL;
}

void
evict_begin(struct server *s, struct event_base *base, struct tours *tours,
    uint64_t drain_timeout)
{
	if (s->evict == NULL)
		s->evict = evict_new(s, s->upstream, base, tours,
		    drain_timeout, NULL);
}

void
evict_end(struct server *s)
{
	if (s->evict == NULL)
		return;
	if (!drain_is_over(s->evict->drain))
		evict_log(s->evict);
	evict_free(s->evict);
	s->evict = NULL;
}

void
evict_removed(struct server *s, const struct upstream_conf *conf,
    struct event_base *base, struct tours *tours, uint64_t drain_timeout,
    struct evict_list *list)
{
	evict_end(s);
	if (atomic_load(&s->state->taken) > 0)
		evict_new(s, conf, base, tours, drain_timeout, list);
}

void
evict_returned(struct evict_list *list, const struct server_state *state)
{
	struct evict *e, *next;

	for (e = TAILQ_FIRST(list); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->state != state)
			continue;
		evict_log(e);
		evict_free(e);
	}
}

void
evict_end_all(struct evict_list *list)
{
	struct evict *e;

	while ((e = TAILQ_FIRST(list)) != NULL)
		evict_free(e);
}
