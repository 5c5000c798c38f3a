/* ROUTE: are the addresses of its upstream known?  A name that has not been
 * answered yet is waited for; one that does not resolve ends the session, but
 * with on_no_server = hold that is waited for, too. */
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

static enum phase_answer
route_wait(struct session *s)
{
	const struct upstream_conf *conf = route_upstream(s);
	struct worker *w = s->worker;

	if (s->is_waiting)
		return PHASE_WAIT;
	LIST_INSERT_HEAD(&w->routing[conf->index], s, waiting);
	s->look_at = worker_now(w) + (route_is_held(s) ? conf->absence.hold :
	    conf->connect_timeout);
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
	if (pool == NULL || (pool->set->count == 0 && route_is_held(s)))
		return route_wait(s);
	if (s->is_waiting)
		LIST_REMOVE(s, waiting);
	s->is_waiting = false;
	return pool->set->count == 0 ? route_fail(s, pool->set) : PHASE_NEXT;
}

uint64_t
phase_route_deadline(const struct session *s)
{
	return s->look_at;
}

enum phase_answer
phase_route_expire(struct session *s)
{
	const struct upstream_conf *conf = route_upstream(s);
	const struct pool *pool = s->worker->pools[conf->index];

	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "name lookup", .rule = "connect_timeout",
		.of_upstream = true, .limit_ms = conf->connect_timeout };
	if (route_is_held(s)) {
		s->ending.rule = "on_no_server";
		s->ending.limit_ms = conf->absence.hold;
		s->ending.detail = pool == NULL ? NULL : pool->set->why;
	}
	return PHASE_END;
}
