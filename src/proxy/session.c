#include "session.h"

#include <assert.h>
#include <stdlib.h>

#include "early.h"
#include "proxy/waitlist.h"
#include "race.h"
#include "record.h"
#include "worker-internal.h"

static const struct phase phases[] = {
	{ "greeting", phase_greeting, phase_greeting_deadline,
	    phase_greeting_expire },
	{ "admit", phase_admit, phase_admit_deadline, phase_admit_expire },
	{ "peek", phase_peek, phase_peek_deadline, phase_peek_expire },
	{ "route", phase_route, phase_route_deadline, phase_route_expire },
	{ "connect", phase_connect, phase_connect_deadline,
	    phase_connect_expire },
	{ "introduce", phase_introduce, phase_introduce_deadline,
	    phase_introduce_expire },
	{ "relay", phase_relay, phase_relay_deadline, phase_relay_expire },
	{ "flush", phase_flush, phase_flush_deadline, phase_flush_expire },
};

const char *
session_phase(const struct session *s)
{
	return s->phase->name;
}

const char *
session_phase_name(size_t n)
{
	return phases[n].name;
}

uint64_t
session_id_of(const struct worker *w, uint64_t order)
{
	return (uint64_t)w->shared->boot << 48 |
	    (uint64_t)(w->index & 0xfff) << 36 | (order & 0xfffffffffULL);
}

uint64_t
session_id(const struct session *s)
{
	return session_id_of(s->worker, s->order);
}

uint32_t
session_age(const struct session *s)
{
	uint64_t age = worker_now(s->worker) - s->started;

	return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

struct listener_stats *
session_stats(const struct session *s)
{
	return &s->worker->stats.listeners[s->listener->index];
}

static void
session_hears_client(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	conn_hear(&s->client, what);
	session_advance(s);
}

void
session_hears_upstream(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	conn_hear(&s->upstream, what);
	session_advance(s);
}

bool
session_new(struct worker *w, const struct listener_conf *conf,
    struct conn *client, const struct peer *peer)
{
	struct session *s = slab_take(&w->slab);

	if (s == NULL)
		return false;
	if (conn_move(&s->client, w->base, client,
	    session_hears_client, s) < 0) {
		slab_give(&w->slab, s);
		return false;
	}
	era_use(w, conf->config);
	s->worker = w;
	s->listener = conf;
	s->target = conf->upstream;
	s->phase = phases;
	s->peer = *peer;
	s->order = ++w->sequence;
	s->started = s->active = worker_now(w);
	s->ending.by = BY_PROXY;
	relay_open(&s->to_upstream, s, &s->client, &s->upstream);
	relay_open(&s->to_client, s, &s->upstream, &s->client);
	LIST_INSERT_HEAD(&w->sessions, s, link);
	atomic_fetch_add_explicit(&w->live, 1, memory_order_relaxed);
	counter_add(&session_stats(s)->begun, 1);
	session_advance(s);
	return true;
}

static void
session_queue(struct session *s, struct relay *r)
{
	struct worker *w = s->worker;
	struct relay_queue *queue = r->bulk ? &w->gate.queue : &w->queue;

	if (s->relaying && relay_runnable(r))
		relay_wait(r, queue);
	else if (r->held)
		refill_add(&w->refill, r);
	else if (r->from->doubtful)
		doubts_add(&w->doubts, r);
	else
		relay_wait(r, NULL);
}

/* What happens next follows from the state, computed here and only here.  The
 * timer is only touched when it must come up earlier: a later deadline is
 * found out when it does. */
static void
session_settle(struct session *s)
{
	uint64_t at = s->phase->deadline(s);

	if (at != UINT64_MAX && wheel_misses(&s->worker->wheel, &s->timer, at))
		worker_set_timer(s->worker, &s->timer, at);
	session_queue(s, &s->to_upstream);
	session_queue(s, &s->to_client);
}

/* For who wonders what the worker is at. */
static void
session_note(const struct session *s)
{
	note_session(&s->worker->note, s->order, (size_t)(s->phase - phases),
	    s->listener->index);
}

static void
session_answer(struct session *s, enum phase_answer answer)
{
	while (answer == PHASE_NEXT) {
		s->phase++;
		session_note(s);
		answer = s->phase->run(s);
	}
	if (answer == PHASE_END)
		session_end(s, &s->ending);
	else
		session_settle(s);
}

void
session_advance(struct session *s)
{
	if (s->ended)
		return;
	session_note(s);
	session_answer(s, s->phase->run(s));
	note_nothing(&s->worker->note);
}

void
session_expire(struct session *s)
{
	session_note(s);
	if (s->phase->deadline(s) <= worker_now(s->worker))
		session_answer(s, s->phase->expire(s));
	else
		session_settle(s);
	note_nothing(&s->worker->note);
}

/* A stream that was cut short must not look complete.  One that got its FIN is
 * complete, and a reset could only destroy what is still on its way. */
bool
session_cuts(const struct relay *r)
{
	return !r->to->shut;
}

static void
session_close(struct relay *r)
{
	if (session_cuts(r))
		conn_reset(r->to);
	else
		conn_close(r->to);
}

static void
session_leave_route(struct session *s)
{
	if (s->is_waiting)
		LIST_REMOVE(s, waiting);
	s->is_waiting = false;
}

void
session_give_server(struct session *s)
{
	if (!s->taken)
		return;
	server_state_give(s->server);
	s->taken = false;
	waitlist_wake(&s->worker->shared->waits[s->target->index]);
}

static void
session_leave_server(struct session *s)
{
	if (s->connected)
		server_state_leave(s->server,
		    relay_delivered(&s->to_upstream),
		    relay_delivered(&s->to_client));
	session_give_server(s);
	server_state_unref(s->server);
	s->server = NULL;
}

void
session_end(struct session *s, const struct ending *ending)
{
	struct worker *w = s->worker;

	if (s->ended)
		return;
	s->ended = true;
	s->ending = *ending;
	session_record(s);
	wheel_clear(&w->wheel, &s->timer);
	race_free(s);
	early_free(s);
	session_leave_route(s);
	session_leave_server(s);
	relay_close(&s->to_upstream, w);
	relay_close(&s->to_client, w);
	session_close(&s->to_client);
	session_close(&s->to_upstream);
	visit_pass(w, s);
	LIST_REMOVE(s, link);
	LIST_INSERT_HEAD(&w->ended, s, link);
	atomic_fetch_sub_explicit(&w->live, 1, memory_order_relaxed);
	phase_admit_leave(s);
	worker_release(w, s->listener);
}

void
session_reap(struct worker *w)
{
	struct session *s;

	while ((s = LIST_FIRST(&w->ended)) != NULL) {
		LIST_REMOVE(s, link);
		era_leave(w, s->listener->config);
		free(s->meters);
		slab_give(&w->slab, s);
	}
}
