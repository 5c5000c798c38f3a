/* A session that no server takes: it waits for one, in the order in which all
 * of them came, and nothing is read from its client meanwhile. */
#include <errno.h>

#include "race-internal.h"

static bool
race_is_awake(const struct race *race)
{
	return race->waiter != NULL && waiter_is_awake(race->waiter);
}

/* Who has a server behind it already, which failed, has waited before. */
bool
race_must_queue(const struct session *s)
{
	const struct waitlist *list = race_list(s);

	if (waitlist_is_paused(list))
		return true;
	return race_conf(s)->queue > 0 && s->attempts == 0 &&
	    !race_is_awake(s->race) && waitlist_is_eager(list);
}

/* Whether it was refused by some. */
static bool
race_is_choosy(const struct race *race)
{
	uint64_t any = 0;

	for (size_t n = 0; n < BALANCE_WORDS(race->pool->set->count); n++)
		any |= race->tried[n];
	return any != 0;
}

static enum race_want
race_want(const struct session *s)
{
	if (waitlist_is_paused(race_list(s)))
		return WANT_RESUME;
	return balance_has_usable(s->race->pool->set) ? WANT_ROOM :
	    WANT_SERVER;
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

static enum race_result
race_is_too_many(struct session *s)
{
	bool none = race_conf(s)->queue == 0;

	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_LIMIT,
		.cause = none ? "all servers are full" :
		"all servers are full, and so is the queue",
		.rule = none ? "server_max_sessions" : "queue",
		.of_upstream = true };
	return RACE_LOST;
}

static bool
race_has_room(const struct session *s)
{
	const struct balance_ask ask = race_ask(s);

	return !waitlist_is_paused(race_list(s)) &&
	    balance_has_room(&s->race->pool->balance, &ask);
}

/* How many may wait for that.  Where there is room, those who wait are on their
 * way to it, however many they are.  With queue = off nobody waits for it, who
 * has waited for something else neither. */
static uint64_t
race_most(const struct session *s, enum race_want want)
{
	return want != WANT_ROOM || race_has_room(s) ? UINT64_MAX :
	    race_conf(s)->queue;
}

/* Its place is kept while it is awake: so it was let in before. */
static bool
race_may_wait(const struct session *s, uint64_t most)
{
	return most > 0 && (s->race->waiter != NULL ||
	    waitlist_length(race_list(s)) < most);
}

static void
race_begins_to_wait(struct session *s)
{
	struct race *race = s->race;

	race->state = RACE_WAITING;
	if (race->waiting_since != 0)
		return;
	counter_add(&race_stats(s)->waited, 1);
	race->waiting_since = worker_now(s->worker);
}

/* Between the look that found nothing and the place in the list there may have
 * been room, and nobody to wake. */
static void
race_look_again(struct session *s)
{
	if (race_has_room(s))
		waitlist_wake(race_list(s));
}

enum race_result
race_wait(struct session *s)
{
	enum race_want want = race_want(s);
	uint64_t most = race_most(s, want);
	struct race *race = s->race;

	if (want == WANT_SERVER && race_conf(s)->absence.how != ABSENCE_HOLD)
		return race_has_none(s);
	if (!race_may_wait(s, most))
		return race_is_too_many(s);
	if (race->waiter == NULL)
		race->waiter = waiter_new(s, race_list(s));
	if (race->waiter == NULL) {
		s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_ERROR,
			.error = -ENOMEM };
		return RACE_LOST;
	}
	race->want = want;
	if (!waiter_enter(race->waiter, race_is_choosy(race), most))
		return race_is_too_many(s); /* others were quicker */
	race_begins_to_wait(s);
	race_look_again(s);
	return RACE_RUNNING;
}

/* What is known by now may be other servers; the time to connect begins now.
 * Without memory it goes on with those it knew. */
bool
race_goes_on(struct session *s)
{
	struct race *race = s->race;
	struct pool *pool = s->worker->pools[race_conf(s)->index];

	if (!race_is_awake(race))
		return false;
	if (pool != race->pool && pool->set->count > 0)
		race_enter_pool(race, pool);
	race->started = worker_now(s->worker);
	race->state = RACE_IDLE;
	return true;
}

void
race_stop_waiting(struct session *s)
{
	waiter_leave(s->race->waiter);
	s->race->waiter = NULL;
}

/* After a pause all have their whole time. */
uint64_t
race_wait_deadline(const struct session *s)
{
	const struct upstream_conf *conf = race_conf(s);
	uint64_t since = s->race->waiting_since;
	uint64_t resumed = atomic_load_explicit(&race_list(s)->resumed,
	    memory_order_relaxed);

	if (since < resumed)
		since = resumed;
	switch (s->race->want) {
	case WANT_ROOM:
		return since + conf->queue_timeout;
	case WANT_SERVER:
		return since + conf->absence.hold;
	case WANT_RESUME:
		break;
	}
	return UINT64_MAX;
}

/* What it waits for may be something else by now. */
enum race_result
race_wait_expire(struct session *s)
{
	bool room;

	s->race->want = race_want(s);
	if (race_wait_deadline(s) > worker_now(s->worker))
		return RACE_RUNNING;
	room = s->race->want == WANT_ROOM;
	race_has_none(s);
	if (!room && race_conf(s)->absence.how != ABSENCE_HOLD)
		return RACE_LOST;
	s->ending.how = HOW_TIMEOUT;
	s->ending.of_upstream = true;
	s->ending.rule = room ? "queue_timeout" : "on_no_server";
	s->ending.limit_ms = room ? race_conf(s)->queue_timeout :
	    race_conf(s)->absence.hold;
	if (room) {
		s->ending.cause = "all servers are full for";
		s->ending.detail = NULL;
	}
	counter_add(&race_stats(s)->wait_timeouts, 1);
	return RACE_LOST;
}
