/* RELAY: both directions, each to its own end. */
#include <errno.h>
#include <stdlib.h>

#include "config/snapshot.h"
#include "early.h"
#include "net/sock.h"
#include "proxy/tcp_options.h"
#include "record.h"
#include "session.h"
#include "stray.h"
#include "worker-internal.h"

static const struct global_conf *
relay_global(const struct session *s)
{
	return &snapshot_config(s->worker->snapshot)->global;
}

static void
relay_plan_report(struct session *s)
{
	uint64_t interval = relay_global(s)->access_log_interval;

	s->look_at = interval == 0 ? UINT64_MAX :
	    worker_now(s->worker) + interval;
}

/* One for each direction; of no limit where only the other has one.  What a
 * phase before has read was not asked for then. */
static int
relay_meter(struct session *s)
{
	const struct listener_conf *conf = s->listener;
	uint64_t now = worker_now(s->worker);

	if (conf->bandwidth_to_upstream == 0 && conf->bandwidth_to_client == 0)
		return 0;
	s->meters = calloc(2, sizeof(*s->meters));
	if (s->meters == NULL)
		return -ENOMEM;
	meter_init(session_meter(&s->to_upstream),
	    conf->bandwidth_to_upstream, now);
	meter_owe(session_meter(&s->to_upstream), s->to_upstream.pending);
	meter_init(session_meter(&s->to_client), conf->bandwidth_to_client,
	    now);
	return 0;
}

static int
relay_begin(struct session *s)
{
	int error;

	if (s->early != NULL && s->early->len > 0 &&
	    s->early->protocol == NULL)
		stray_look(s, s->early->data, s->early->len);
	error = early_pass(s);
	if (error < 0)
		return error;
	s->relaying = true;
	s->to_upstream.tcp = early_socket(s)->family != AF_UNIX;
	s->to_client.tcp = s->server->addr.sa.sa_family != AF_UNIX;
	s->probed = !s->target->tcp.keepalive ||
	    s->server->addr.sa.sa_family == AF_UNIX;
	relay_plan_report(s);
	if (relay_global(s)->access_log_start)
		session_record_start(s);
	s->active = s->progress = worker_now(s->worker);
	s->unsent = 0;
	return relay_meter(s);
}

static int
relay_pump_if_let(struct session *s, struct relay *r)
{
	return gate_lets(&s->worker->gate, r) ? relay_pump(r, s->worker) : 0;
}

static int
relay_pump_both(struct session *s)
{
	bool silent = s->to_client.bytes == 0;
	int error = relay_pump_if_let(s, &s->to_upstream);

	if (error == 0)
		error = relay_pump_if_let(s, &s->to_client);
	if (silent && s->to_client.bytes > 0)
		s->first_byte_ms = session_age(s);
	return error;
}

/* Who sent FIN first is who closed the session. */
static void
relay_note_fin(struct session *s)
{
	if (s->ending.by != BY_PROXY)
		return;
	if (s->client.eof || s->upstream.eof)
		s->ending = (struct ending){ .how = HOW_FIN,
			.by = s->client.eof ? BY_CLIENT : BY_UPSTREAM };
}

/* A Unix peer that reads no more is heard to its end all the same. */
static bool
relay_is_over(const struct relay *r)
{
	return r->done || r->to->write_error != 0;
}

static void
relay_note_broken(struct session *s, const struct relay *r)
{
	if (r->to->write_error != 0)
		s->ending = (struct ending){ .how = HOW_RST,
			.by = r == &s->to_client ? BY_CLIENT : BY_UPSTREAM,
			.error = r->to->write_error };
}

/* A Unix peer that reads no more, and has said its last, is gone: what it said
 * is delivered as after a reset (phase_flush.c), since what the other side
 * still says has no reader, and closing on that would destroy what is on its
 * way. */
static bool
relay_is_gone(struct conn *c)
{
	if (c->write_error == 0 || !c->hung_up)
		return false;
	conn_fail(c, c->write_error);
	return true;
}

/* What waits for its turn will be read, and need not be asked for its error. */
static bool
relay_is_cut(const struct relay *r)
{
	return r->from->error != 0 ||
	    (!relay_runnable(r) && conn_check(r->from));
}

enum phase_answer
phase_relay(struct session *s)
{
	int error = s->relaying ? 0 : relay_begin(s);

	if (error == 0)
		error = relay_pump_both(s);
	if (error < 0) {
		s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_ERROR,
			.error = error };
		return PHASE_END;
	}
	relay_note_fin(s);
	relay_note_broken(s, &s->to_upstream);
	relay_note_broken(s, &s->to_client);
	if (relay_is_gone(&s->client) || relay_is_gone(&s->upstream))
		return PHASE_NEXT;
	if (relay_is_over(&s->to_upstream) && relay_is_over(&s->to_client))
		return PHASE_END;
	if (relay_is_cut(&s->to_upstream) || relay_is_cut(&s->to_client))
		return PHASE_NEXT;
	return PHASE_WAIT;
}

/* max_lifetime less up to a tenth, so that what began together does not end
 * together: the id spread over 32 bits (Fibonacci hashing) says how much. */
static uint64_t
relay_lives_until(const struct session *s)
{
	uint64_t life = s->listener->max_lifetime;

	if (life == 0)
		return UINT64_MAX;
	return s->started + life -
	    (session_id(s) * 0x9e3779b97f4a7c15ULL >> 32) % (life / 10 + 1);
}

/* The rule that will end the session if nothing moves, and when. */
static uint64_t
relay_limit(const struct session *s, struct ending *e)
{
	const struct listener_conf *conf = s->listener;
	bool half = s->client.eof || s->upstream.eof;
	uint64_t at = UINT64_MAX, silence, lives_until = relay_lives_until(s);

	silence = half ? conf->half_close_timeout : conf->idle_timeout;
	*e = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = half ? "half-closed and silent" : "idle",
		.rule = half ? "half_close_timeout" : "idle_timeout",
		.limit_ms = silence };
	if (silence != 0)
		at = s->active + silence;
	if (lives_until >= at)
		return at;
	e->cause = "lived";
	e->rule = "max_lifetime";
	e->limit_ms = conf->max_lifetime;
	return lives_until;
}

static uint64_t
relay_stall_check(const struct session *s)
{
	uint64_t stall = s->listener->stall_timeout;

	return stall == 0 ? UINT64_MAX : s->progress + stall / 2 + 1;
}

/* Keepalive costs calls that a short session never needs.  It counts from the
 * last sign of life whenever it is asked for, if that is before the first probe
 * is due; no sooner, so that the timer of CONNECT need not be moved. */
static uint64_t
relay_keepalive_at(const struct session *s)
{
	return s->probed ? UINT64_MAX : s->started + s->connected_ms +
	    s->target->tcp.keepalive_idle / 2;
}

static void
relay_keep_alive(struct session *s)
{
	struct sock_tcp tcp;

	tcp_options(&s->target->tcp, &tcp);
	sock_keep_alive(s->upstream.fd, &tcp);
	s->probed = true;
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
phase_relay_deadline(const struct session *s)
{
	struct ending ignored;

	return earlier(earlier(relay_limit(s, &ignored), s->look_at),
	    earlier(relay_stall_check(s), relay_keepalive_at(s)));
}

/* A closed window is answered at every probe and is no stall; only a peer that
 * answers nothing is gone. */
static bool
relay_stalled(const struct session *s, const struct conn *c)
{
	struct sock_info info;

	sock_info(c->fd, &info);
	return info.unanswered && info.silent_ms >= s->listener->stall_timeout;
}

static bool
relay_ends_stalled(struct session *s)
{
	bool client = relay_stalled(s, &s->client);

	s->progress = worker_now(s->worker);
	if (!client && !relay_stalled(s, &s->upstream))
		return false;
	s->ending = (struct ending){ .by = client ? BY_CLIENT : BY_UPSTREAM,
		.how = HOW_TIMEOUT, .cause = "no longer answers for",
		.rule = "stall_timeout", .error = -ETIMEDOUT,
		.limit_ms = s->listener->stall_timeout };
	return true;
}

/* Bytes that a kernel holds for a slow reader move without us. */
static bool
relay_still_drains(struct session *s)
{
	uint64_t unsent = (uint64_t)sock_unsent(s->client.fd) +
	    (uint64_t)sock_unsent(s->upstream.fd);
	bool moved = unsent != s->unsent;

	s->unsent = unsent;
	if (moved)
		s->active = worker_now(s->worker);
	return moved;
}

static bool
relay_catch_up(struct session *s)
{
	bool client = conn_catch_up(&s->client);

	return conn_catch_up(&s->upstream) || client;
}

/* Who waits for a turn, or for tokens, has something to move, and is not
 * silent. */
static bool
relay_waits(const struct relay *r)
{
	return r->held || relay_runnable(r);
}

static void
relay_note_waiting(struct session *s)
{
	if (relay_waits(&s->to_upstream) || relay_waits(&s->to_client))
		s->active = worker_now(s->worker);
}

enum phase_answer
phase_relay_expire(struct session *s)
{
	uint64_t now = worker_now(s->worker);
	bool lived = relay_lives_until(s) <= now;
	struct ending e;

	if (relay_keepalive_at(s) <= now)
		relay_keep_alive(s);
	relay_note_waiting(s);
	if (!lived && relay_catch_up(s)) {
		relay_note_waiting(s);
		return phase_relay(s);
	}
	if (s->look_at <= now) {
		session_record_interval(s);
		relay_plan_report(s);
	}
	if (relay_limit(s, &e) <= now &&
	    (lived || !relay_still_drains(s))) {
		s->ending = e;
		return PHASE_END;
	}
	return s->listener->stall_timeout != 0 && relay_ends_stalled(s) ?
	    PHASE_END : PHASE_WAIT;
}
