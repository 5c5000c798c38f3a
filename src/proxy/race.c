#include "race.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "early.h"
#include "net/sock.h"
#include "proxy/balance.h"
#include "proxy/tcp_options.h"
#include "worker-internal.h"

#define RACE_PAUSE_MS	200 /* before a server that was tried already */
#define RACE_BACKOFF_MS 10  /* a Unix server's backlog is full; doubles */

enum race_state { RACE_IDLE, RACE_TRYING, RACE_PAUSED, RACE_RETRYING };

struct race {
	enum race_state state;
	struct pool    *pool;  /* one reference */
	struct event	timer; /* PAUSED, RETRYING: finer than the wheel */
	uint64_t	started;
	uint64_t	attempt_started;
	uint64_t	attempt_us; /* the same, finer, for the histogram */
	uint64_t	backoff;
	size_t		current; /* endpoint being tried */
	size_t		source;	 /* index into the upstream's sources */
	uint64_t	key;	 /* of its balancing by hash */
	bool		timed_out; /* the last failure was */
	int		error;	   /* of the last failure */
	uint64_t	tried[];
};

static const struct upstream_conf *
race_conf(const struct session *s)
{
	return s->target;
}

static struct upstream_stats *
race_stats(const struct session *s)
{
	return &s->worker->stats.upstreams[race_conf(s)->index];
}

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
race_new(struct session *s)
{
	struct pool *pool = s->worker->pools[race_conf(s)->index];
	size_t words = BALANCE_WORDS(pool->set->count);
	struct race *race;

	race = calloc(1, sizeof(*race) + words * sizeof(race->tried[0]));
	if (race == NULL)
		return false;
	race->pool = pool_ref(pool);
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
	pool_unref(s->race->pool);
	free(s->race);
	s->race = NULL;
}

/* connect_attempts, but each server is tried once before anyone gives up. */
static bool
race_may_try(const struct session *s)
{
	const struct upstream_conf *conf = race_conf(s);
	uint64_t attempts = conf->connect_attempts;

	if (attempts < s->race->pool->set->count)
		attempts = s->race->pool->set->count;
	return s->attempts < attempts && worker_now(s->worker) -
	    s->race->started < conf->connect_timeout * conf->connect_attempts;
}

static void
race_time_out(struct session *s)
{
	char *hint = (char *)s->worker->scratch, ip[ADDR_TEXT];
	const struct upstream_conf *conf = race_conf(s);

	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_TIMEOUT,
		.cause = "connect", .rule = "connect_timeout",
		.of_upstream = true, .limit_ms = conf->connect_timeout };
	if (!conf->source_client)
		return;
	snprintf(hint, WORKER_SCRATCH, "source = client: do the server's "
	    "answers to %s come back here?", peer_ip_text(&s->peer, ip));
	s->ending.detail = hint;
}

static enum race_result
race_lose(struct session *s)
{
	const struct upstream_conf *conf = race_conf(s);
	struct race *race = s->race;

	s->ending = (struct ending){ .by = BY_UPSTREAM, .how = HOW_ERROR,
		.error = race->error, .cause = "connect failed" };
	if (conf->source_client && race->error == -EAFNOSUPPORT) {
		s->ending.cause = "the server has no address of the client's "
		    "family";
		s->ending.rule = "source";
		s->ending.of_upstream = true;
	}
	if (race->timed_out)
		race_time_out(s);
	return RACE_LOST;
}

/* Nobody was asked, or who is left has gone down meanwhile. */
static enum race_result
race_has_none(struct session *s)
{
	char *why = (char *)s->worker->scratch;

	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_ERROR,
		.error = s->race->error, .cause = "no server",
		.detail = balance_why(s->race->pool->set, why,
		    CLOSERECORD_DETAIL) };
	return RACE_LOST;
}

static int
race_connect_as_client(const struct session *s, const struct addr *to,
    const struct sock_tcp *tcp)
{
	struct addr from;

	if (s->peer.family != to->sa.sa_family)
		return -EAFNOSUPPORT;
	peer_addr(&s->peer, &from);
	addr_set_port(&from, 0);
	return sock_connect_as(to, &from, tcp);
}

/* Sources of the server's family in turn; EADDRNOTAVAIL (gone, or out of
 * ports) goes on to the next. */
static int
race_connect(struct session *s, const struct addr *to)
{
	const struct upstream_conf *conf = race_conf(s);
	struct sock_tcp tcp;
	int fd = -EADDRNOTAVAIL;

	tcp_options(&conf->tcp, &tcp);
	if (conf->source_client && to->sa.sa_family != AF_UNIX)
		return race_connect_as_client(s, to, &tcp);
	if (conf->nsources == 0 || to->sa.sa_family == AF_UNIX)
		return sock_connect(to, NULL, &tcp);
	for (size_t i = 0; i < conf->nsources && fd == -EADDRNOTAVAIL; i++) {
		const struct addr *from;

		from = &conf->sources[s->race->source++ % conf->nsources];
		if (from->sa.sa_family == to->sa.sa_family)
			fd = sock_connect(to, from, &tcp);
	}
	return fd;
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
	return 0;
}

/* Main looks at all servers, however many failed before it does. */
static void
race_tell_failure(const struct session *s)
{
	struct shared *shared = s->worker->shared;

	if (!atomic_exchange_explicit(&shared->failed_told, true,
	    memory_order_acq_rel))
		eventfd_write(shared->failed_fd, 1);
}

static void
race_fail(struct session *s, int error, bool timed_out)
{
	conn_close(&s->upstream);
	s->failed = true;
	s->race->state = RACE_IDLE;
	s->race->error = error;
	s->race->timed_out = timed_out;
	server_state_fail(s->server, error);
	race_tell_failure(s);
	server_state_give(s->server);
	s->taken = false;
	counter_add(&race_stats(s)->failures[connect_failure(error)], 1);
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
	server_state_take(s->server);
	s->taken = true;
	if (s->attempts++ == 0)
		s->dialed_ms = session_age(s);
	counter_add(&race_stats(s)->attempts, 1);
}

static enum balance_answer
race_pick(struct session *s, size_t *picked)
{
	struct race *race = s->race;
	const struct balance_ask ask = {
		.tried = race->tried,
		.now = worker_now(s->worker),
		.random = worker_random(s->worker),
		.key = race->key,
	};

	return balance_pick(&race->pool->balance, &ask, picked);
}

/* All again, after a pause with jitter. */
static void
race_begin_again(struct session *s)
{
	struct race *race = s->race;

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

	if (!race_may_try(s))
		return race_lose(s);
	switch (race_pick(s, &i)) {
	case BALANCE_PICKED:
		race_take(s, i);
		return race_attempt(s);
	case BALANCE_ALL_TRIED:
		race_begin_again(s);
		return RACE_RUNNING;
	case BALANCE_NONE_USABLE:
		break;
	}
	return race_has_none(s);
}

static enum race_result
race_won(struct session *s)
{
	struct upstream_stats *stats = race_stats(s);

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

enum race_result
race_run(struct session *s)
{
	enum race_result result = RACE_RUNNING;
	struct race *race = s->race;

	if (race->state == RACE_TRYING)
		result = race_look(s);
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
	const struct upstream_conf *conf = race_conf(s);
	uint64_t all = s->race->started +
	    conf->connect_timeout * conf->connect_attempts;
	uint64_t one = s->race->attempt_started + conf->connect_timeout;

	return s->race->state != RACE_PAUSED && one < all ? one : all;
}

enum race_result
race_expire(struct session *s)
{
	struct race *race = s->race;

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
	if (race->state == RACE_TRYING || race->state == RACE_RETRYING)
		race_fail(s, -ETIMEDOUT, true);
	return race_run(s);
}
