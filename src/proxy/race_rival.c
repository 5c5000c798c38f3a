/* Happy Eyeballs (RFC 8305): of a server whose name has addresses of both
 * families, one of the other is tried as well when the first has not answered
 * soon.  Who answers first has the session, and the other is left.  Two at a
 * time are the most; whoever fails leaves the field to the other at once. */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/sock.h"
#include "race-internal.h"

/* Section 5: "Connection Attempt Delay ... 250 ms". */
#define RIVAL_DELAY_US 250000

static bool
rival_may(const struct race *race, size_t i, const struct endpoint *first)
{
	const struct endpoint *e = &race->pool->set->endpoints[i];

	return e->line == first->line && e->host == first->host &&
	    e->server->addr.sa.sa_family !=
	    first->server->addr.sa.sa_family &&
	    (race->tried[i / 64] >> i % 64 & 1) == 0 &&
	    server_state_usable(e->server) && !endpoint_is_full(e);
}

/* Its place in the set; the set's count: there is none. */
static size_t
rival_find(const struct race *race)
{
	const struct endpoint_set *set = race->pool->set;
	size_t i = 0;

	while (i < set->count &&
	    !rival_may(race, i, &set->endpoints[race->current]))
		i++;
	return i;
}

void
rival_arm(struct session *s)
{
	const struct timeval tv = { .tv_usec = RIVAL_DELAY_US };
	struct race *race = s->race;

	race->rival_due = rival_find(race) < race->pool->set->count &&
	    event_add(&race->timer, &tv) == 0;
}

static void
rival_hears(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	conn_hear(&s->race->rival, what);
	session_advance(s);
}

static void
rival_leave(struct session *s)
{
	struct race *race = s->race;

	conn_close(&race->rival);
	server_state_give(race->rival_server);
	waitlist_wake(race_list(s));
	server_state_unref(race->rival_server);
	race->rival_server = NULL;
}

static void
rival_fail(struct session *s, int error)
{
	race_count_failure(s, s->race->rival_server, error);
	rival_leave(s);
}

static int
rival_connect(struct session *s)
{
	struct race *race = s->race;
	int error, fd = race_connect(s, &race->rival_server->addr);

	if (fd < 0)
		return fd;
	error = conn_open(&race->rival, s->worker->base, fd, rival_hears, s);
	if (error < 0)
		close(fd);
	else if (race_conf(s)->tcp.tcp_nodelay)
		conn_set_nodelay(&race->rival);
	return error;
}

static void
rival_start(struct session *s)
{
	struct race *race = s->race;
	size_t i = rival_find(race);
	const struct endpoint *e = &race->pool->set->endpoints[i];
	int error;

	if (i == race->pool->set->count ||
	    !server_state_take(e->server, e->max))
		return;
	race->tried[i / 64] |= 1ULL << (i % 64);
	race->rival_at = i;
	race->rival_started = worker_now(s->worker);
	race->rival_us = clock_us();
	race->rival_server = server_state_ref(e->server);
	race_count_attempt(s);
	error = rival_connect(s);
	if (error < 0)
		rival_fail(s, error);
}

bool
rival_takes_over(struct session *s)
{
	struct race *race = s->race;
	int error;

	if (race->rival_server == NULL)
		return false;
	conn_close(&s->upstream);
	session_give_server(s);
	error = conn_move(&s->upstream, s->worker->base, &race->rival,
	    session_hears_upstream, s);
	if (error < 0) {
		rival_leave(s);
		race->error = error;
		race->timed_out = false;
		race->state = RACE_IDLE;
		return false;
	}
	server_state_unref(s->server);
	s->server = race->rival_server;
	s->taken = true;
	race->rival_server = NULL;
	race->current = race->rival_at;
	race->attempt_us = race->rival_us;
	race->attempt_started = race->rival_started;
	race->state = RACE_TRYING;
	return true;
}

/* As of the first, see race_look(). */
bool
rival_wins(struct session *s)
{
	struct race *race = s->race;
	int error = 0;

	if (race->rival_due && !event_pending(&race->timer, EV_TIMEOUT, NULL)) {
		race->rival_due = false;
		rival_start(s);
	}
	if (race->rival_server == NULL ||
	    (!race->rival.readable && !race->rival.writable))
		return false;
	if (race->rival.readable)
		error = sock_connected(race->rival.fd);
	if (error != 0 && error != -ENOTCONN)
		rival_fail(s, error);
	return error == 0 && rival_takes_over(s);
}

void
rival_free(struct session *s)
{
	if (s->race->rival_server != NULL)
		rival_leave(s);
}
