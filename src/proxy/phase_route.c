/* ROUTE: are the addresses of its upstream known?  A name that does not resolve
 * is asked for again, once a second however many wait for it; the next answer
 * decides, but for those that on_no_server = hold lets wait on, or a pause. */
#include "proxy/waitlist.h"
#include "session.h"
#include "worker-internal.h"

static const struct upstream_conf *
route_upstream(const struct session *s)
{
	return s->target;
}

static bool
route_is_held(const struct session *s)
{
	return route_upstream(s)->absence.how == ABSENCE_HOLD;
}

static struct waitlist *
route_list(const struct session *s)
{
	return &s->worker->shared->waits[route_upstream(s)->index];
}

static bool
route_may_wait(const struct session *s)
{
	return route_is_held(s) || waitlist_is_paused(route_list(s)) ||
	    !s->answered;
}

static void
route_ask(struct session *s)
{
	atomic_store_explicit(&route_list(s)->nameless, true,
	    memory_order_relaxed);
	worker_tell_failure(s->worker);
}

/* Who waits on has to ask again. */
static enum phase_answer
route_wait(struct session *s, const struct pool *pool)
{
	struct worker *w = s->worker;

	if (pool != NULL && (!s->is_waiting || s->answered))
		route_ask(s);
	s->answered = false;
	if (s->is_waiting)
		return PHASE_WAIT;
	LIST_INSERT_HEAD(&w->routing[route_upstream(s)->index], s, waiting);
	s->look_at = worker_now(w);
	s->is_waiting = true;
	return PHASE_WAIT;
}

static enum phase_answer
route_fail(struct session *s, const struct endpoint_set *set)
{
	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_ERROR,
		.cause = "no server", .detail = set->why };
	return PHASE_END;
}

enum phase_answer
phase_route(struct session *s)
{
	const struct pool *pool = s->worker->pools[route_upstream(s)->index];

	if (conn_check(&s->client)) {
		s->ending = (struct ending){ .by = BY_CLIENT, .how = HOW_RST,
			.error = s->client.error };
		return PHASE_END;
	}
	if (pool == NULL || (pool->set->count == 0 && route_may_wait(s)))
		return route_wait(s, pool);
	if (s->is_waiting)
		LIST_REMOVE(s, waiting);
	s->is_waiting = false;
	return pool->set->count == 0 ? route_fail(s, pool->set) : PHASE_NEXT;
}

/* A pause has no end but its own; after it all have their whole time. */
uint64_t
phase_route_deadline(const struct session *s)
{
	const struct upstream_conf *conf = route_upstream(s);
	const struct waitlist *list = route_list(s);
	uint64_t since = atomic_load_explicit(&list->resumed,
	    memory_order_relaxed);

	if (waitlist_is_paused(list))
		since = worker_now(s->worker);
	if (since < s->look_at)
		since = s->look_at;
	return since + (route_is_held(s) ? conf->absence.hold :
	    conf->connect_timeout);
}

enum phase_answer
phase_route_expire(struct session *s)
{
	const struct upstream_conf *conf = route_upstream(s);
	const struct pool *pool = s->worker->pools[conf->index];

	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "name lookup", .rule = "connect_timeout",
		.of_upstream = true, .limit_ms = conf->connect_timeout,
		.detail = pool == NULL ? NULL : pool->set->why };
	if (route_is_held(s)) {
		s->ending.rule = "on_no_server";
		s->ending.limit_ms = conf->absence.hold;
	}
	return PHASE_END;
}
