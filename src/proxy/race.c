#include "race.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "early.h"
#include "net/sock.h"
#include "race-internal.h"

#define RACE_PAUSE_MS	200 /* before a server that was tried already */
#define RACE_BACKOFF_MS 10  /* a Unix server's backlog is full; doubles */

static void
race_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	session_advance(arg);
}

/* Without memory for a timer it goes on at once. */
static void
race_pause(struct session *s, enum race_state state, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	s->race->state = event_add(&s->race->timer, &tv) == 0 ? state :
	    RACE_IDLE;
}

/* A name that is none, or was not heard, is no key. */
static uint64_t
race_key(const struct session *s)
{
	const struct upstream_conf *conf = race_conf(s);

	if (conf->balance != BALANCE_HASH)
		return 0;
	if (conf->hash_key == HASH_KEY_SNI && s->early != NULL &&
	    s->early->named)
		return balance_key_name(s->early->sni);
	return balance_key_client(&s->peer);
}

bool
race_enter_pool(struct race *race, struct pool *pool)
{
	uint64_t *tried = calloc(BALANCE_WORDS(pool->set->count) + 1,
	    sizeof(*tried));

	if (tried == NULL)
		return false;
	free(race->tried);
	race->tried = tried;
	pool_ref(pool);
	pool_unref(race->pool);
	race->pool = pool;
	return true;
}

bool
race_new(struct session *s)
{
	struct pool *pool = s->worker->pools[race_conf(s)->index];
	struct race *race;

	race = calloc(1, sizeof(*race));
	if (race == NULL)
		return false;
	if (!race_enter_pool(race, pool)) {
		free(race);
		return false;
	}
	race->started = worker_now(s->worker);
	race->source = s->worker->sequence;
	race->key = race_key(s);
	event_assign(&race->timer, s->worker->base, -1, 0, race_timer, s);
	s->race = race;
	return true;
}

void
race_free(struct session *s)
{
	if (s->race == NULL)
		return;
	event_del(&s->race->timer);
	rival_free(s);
	waiter_leave(s->race->waiter);
	pool_unref(s->race->pool);
	free(s->race->tried);
	free(s->race);
	s->race = NULL;
}

/* However many attempts it takes, with on_no_server = hold: that is for servers
 * without a check, too. */
static bool
race_holds(const struct session *s)
{
	return worker_now(s->worker) < s->race->started +
	    race_conf(s)->absence.hold;
}

static uint64_t
race_until(const struct session *s)
{
	const struct upstream_conf *conf = race_conf(s);
	uint64_t most = conf->connect_timeout * conf->connect_attempts;

	return s->race->started + (most > conf->absence.hold ? most :
	    conf->absence.hold);
}

/* connect_attempts, but each server is tried once before anyone gives up. */
static bool
race_may_try(const struct session *s)
{
	uint64_t attempts = race_conf(s)->connect_attempts;

	if (attempts < s->race->pool->set->count)
		attempts = s->race->pool->set->count;
	return (s->attempts < attempts || race_holds(s)) &&
	    worker_now(s->worker) < race_until(s);
}

static bool
race_is_unix(const struct session *s)
{
	return s->server->addr.sa.sa_family == AF_UNIX;
}

static int
race_try(struct session *s)
{
	struct race *race = s->race;
	int error, fd = race_connect(s, &s->server->addr);

	if (fd < 0)
		return fd;
	error = conn_open(&s->upstream, s->worker->base, fd,
	    session_hears_upstream, s);
	if (error < 0) {
		close(fd);
		return error;
	}
	if (race_conf(s)->tcp.tcp_nodelay && !race_is_unix(s))
		conn_set_nodelay(&s->upstream);
	race->state = RACE_TRYING;
	rival_arm(s);
	return 0;
}

void
race_count_failure(struct session *s, struct server_state *server, int error)
{
	s->failed = true;
	server_state_fail(server, error);
	worker_tell_failure(s->worker);
	counter_add(&race_stats(s)->failures[connect_failure(error)], 1);
}

static void
race_leave(struct session *s, int error, bool timed_out)
{
	conn_close(&s->upstream);
	event_del(&s->race->timer); /* a rival's, that is not to be */
	s->race->state = RACE_IDLE;
	s->race->error = error;
	s->race->timed_out = timed_out;
	session_give_server(s);
	rival_takes_over(s);
}

static void
race_fail(struct session *s, int error, bool timed_out)
{
	race_count_failure(s, s->server, error);
	race_leave(s, error, timed_out);
}

/* What passes by itself: that, and a Unix server's full backlog. */
static bool
race_must_wait(struct session *s, int error)
{
	struct race *race = s->race;

	if (!sock_is_short(error) && (error != -EAGAIN ||
	    !race_is_unix(s)))
		return false;
	race->error = error;
	race->backoff = race->backoff == 0 ? RACE_BACKOFF_MS :
	    race->backoff * 2;
	race_pause(s, RACE_RETRYING, race->backoff);
	return true;
}

static enum race_result
race_attempt(struct session *s)
{
	int error = race_try(s);

	if (error < 0 && !race_must_wait(s, error))
		race_fail(s, error, false);
	return RACE_RUNNING;
}

void
race_count_attempt(struct session *s)
{
	if (s->attempts < UINT16_MAX && s->attempts++ == 0)
		s->dialed_ms = session_age(s);
	counter_add(&race_stats(s)->attempts, 1);
}

static void
race_take(struct session *s, size_t i)
{
	struct race *race = s->race;

	race->current = i;
	race->tried[i / 64] |= 1ULL << (i % 64);
	race->attempt_started = worker_now(s->worker);
	race->attempt_us = clock_us();
	race->backoff = 0;
	server_state_unref(s->server);
	s->server = server_state_ref(race->pool->set->endpoints[i].server);
	s->taken = true;
	race_stop_waiting(s);
	race_count_attempt(s);
}

struct balance_ask
race_ask(const struct session *s)
{
	return (struct balance_ask){
		.tried = s->race->tried,
		.now = worker_now(s->worker),
		.random = worker_random(s->worker),
		.key = s->race->key,
	};
}

/* One that was filled up in between is looked away from. */
static enum balance_answer
race_pick(struct session *s, size_t *picked)
{
	const struct balance_ask ask = race_ask(s);
	struct pool *pool = s->race->pool;
	enum balance_answer answer;

	do
		answer = balance_pick(&pool->balance, &ask, picked);
	while (answer == BALANCE_PICKED && !server_state_take(
	    pool->set->endpoints[*picked].server,
	    pool->set->endpoints[*picked].max));
	return answer;
}

/* All again, after a pause with jitter, for which nobody else has to wait. */
static void
race_begin_again(struct session *s)
{
	struct race *race = s->race;

	race_stop_waiting(s);
	for (size_t n = 0; n < BALANCE_WORDS(race->pool->set->count); n++)
		race->tried[n] = 0;
	race_pause(s, RACE_PAUSED, RACE_PAUSE_MS +
	    worker_random(s->worker) % (RACE_PAUSE_MS / 2));
}

/* A server not tried yet at once. */
static enum race_result
race_next(struct session *s)
{
	size_t i;

	if (race_must_queue(s))
		return race_wait(s);
	if (!race_may_try(s))
		return race_lose(s);
	switch (race_pick(s, &i)) {
	case BALANCE_PICKED:
		race_take(s, i);
		return race_attempt(s);
	case BALANCE_ALL_TRIED:
		race_begin_again(s);
		return RACE_RUNNING;
	case BALANCE_FULL:
	case BALANCE_NONE_USABLE:
		break;
	}
	return race_wait(s);
}

/* Whether the sessions of its server are ended (control/evict.c), or were: this
 * one is none of them yet, and would be left over. */
static bool
race_is_late(const struct session *s)
{
	return race_conf(s)->on_down != ON_DOWN_KEEP &&
	    server_state_is_down(s->server);
}

static enum race_result
race_won(struct session *s)
{
	struct upstream_stats *stats = race_stats(s);

	if (race_is_late(s)) {
		race_leave(s, -EHOSTDOWN, false);
		return RACE_RUNNING;
	}
	if (race_meets_itself(s)) {
		conn_reset(&s->upstream);
		race_fail(s, -ECONNREFUSED, false);
		return RACE_RUNNING;
	}
	s->connected = true;
	s->connected_ms = session_age(s);
	server_state_join(s->server);
	counter_add(&stats->sessions, 1);
	histogram_add(&stats->connecting, clock_us() - s->race->attempt_us);
	return RACE_WON;
}

/* Whether the handshake was done: in SYN_SENT a reset reads ECONNREFUSED.  Such a
 * server had the session, and what it said before it left is still passed on. */
static bool
race_was_accepted(struct session *s, int error)
{
	if (error != -ECONNRESET && error != -EPIPE)
		return false;
	conn_fail(&s->upstream, error);
	return true;
}

static enum race_result
race_judge(struct session *s, int error)
{
	if (error == 0 || race_was_accepted(s, error))
		return race_won(s);
	if (error != -ENOTCONN)
		race_fail(s, error, false);
	return RACE_RUNNING;
}

/* Writable and no more than that is connected: on its way a socket is not, and
 * an error would make it readable as well.  Registered before connect(2) it
 * would be both. */
static enum race_result
race_look(struct session *s)
{
	const struct conn *c = &s->upstream;

	if (c->readable)
		return race_judge(s, sock_connected(c->fd));
	return c->writable ? race_won(s) : RACE_RUNNING;
}

/* Who fails may leave its place to a rival that has connected already. */
static enum race_result
race_look_at_both(struct session *s)
{
	const struct server_state *first = s->server;
	enum race_result result = race_look(s);

	if (s->race->state == RACE_TRYING && s->server != first)
		result = race_look(s);
	if (result == RACE_RUNNING && s->race->state == RACE_TRYING &&
	    rival_wins(s))
		result = race_won(s);
	return result;
}

enum race_result
race_run(struct session *s)
{
	enum race_result result = RACE_RUNNING;
	struct race *race = s->race;

	if (race->state == RACE_WAITING && !race_goes_on(s))
		return RACE_RUNNING;
	if (race->state == RACE_TRYING)
		result = race_look_at_both(s);
	else if (event_pending(&race->timer, EV_TIMEOUT, NULL))
		return RACE_RUNNING;
	else if (race->state == RACE_RETRYING)
		result = race_attempt(s);
	else
		race->state = RACE_IDLE;
	while (result == RACE_RUNNING && race->state == RACE_IDLE)
		result = race_next(s);
	return result;
}

uint64_t
race_deadline(const struct session *s)
{
	uint64_t all = race_until(s);
	uint64_t one = s->race->attempt_started +
	    race_conf(s)->connect_timeout;

	if (s->race->state == RACE_WAITING)
		return race_wait_deadline(s);
	return s->race->state != RACE_PAUSED && one < all ? one : all;
}

enum race_result
race_expire(struct session *s)
{
	const struct server_state *first = s->server;
	struct race *race = s->race;

	if (race->state == RACE_WAITING)
		return race_wait_expire(s);
	event_del(&race->timer);
	if (race->state == RACE_RETRYING && sock_is_short(race->error)) {
		s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_ERROR,
			.error = race->error, .cause = "cannot connect" };
		return RACE_LOST;
	}
	/* after a stop of the process the time is up before we are told that a
	 * server has answered */
	if (race->state == RACE_TRYING &&
	    race_judge(s, sock_connected(s->upstream.fd)) == RACE_WON)
		return RACE_WON;
	if (s->server == first && (race->state == RACE_TRYING ||
	    race->state == RACE_RETRYING))
		race_fail(s, -ETIMEDOUT, true);
	return race_run(s);
}
