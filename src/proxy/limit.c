#include "limit.h"

#include "base/gcra.h"

#define HOLD_MOST 1000
#define NS_PER_MS UINT64_C(1000000)
#define CLOCKS_DIFFER (1000 * NS_PER_MS) /* of workers, at most */

static bool
limit_take_one(struct session_limit *limit)
{
	uint64_t used = atomic_fetch_add_explicit(&limit->used, 1,
	    memory_order_relaxed);

	if (limit->max == 0 || used < limit->max)
		return true;
	atomic_fetch_sub_explicit(&limit->used, 1, memory_order_relaxed);
	return false;
}

static void
limit_give_one(struct session_limit *limit)
{
	atomic_fetch_sub_explicit(&limit->used, 1, memory_order_relaxed);
}

bool
limit_take(struct shared *shared, const struct listener_conf *conf)
{
	if (!limit_take_one(&shared->sessions))
		return false;
	if (limit_take_one(&shared->listeners[conf->index]))
		return true;
	limit_give_one(&shared->sessions);
	return false;
}

void
limit_give(struct shared *shared, const struct listener_conf *conf)
{
	limit_give_one(&shared->listeners[conf->index]);
	limit_give_one(&shared->sessions);
}

/* While a configuration becomes another one, workers may still count by a slower
 * rate: later than this one is ever full again is for now the most that it may
 * be. */
static uint64_t
limit_rate_own(const struct gcra *rate, uint64_t full, uint64_t now)
{
	uint64_t most = now + rate->whole;

	return full > most + CLOCKS_DIFFER ? most : full;
}

bool
limit_rate_take(struct shared *shared, const struct listener_conf *conf,
    uint64_t now)
{
	_Atomic uint64_t *full = &shared->listeners[conf->index].full;
	uint64_t before, after;
	struct gcra rate;
	bool taken;

	if (conf->session_rate.count == 0)
		return true;
	rate = gcra_of(conf->session_rate.count, conf->session_rate.per);
	before = atomic_load_explicit(full, memory_order_relaxed);
	do {
		after = limit_rate_own(&rate, before, now * NS_PER_MS);
		taken = gcra_take(&rate, &after, now * NS_PER_MS);
		if (!taken && after == before)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(full, &before, after,
	    memory_order_relaxed, memory_order_relaxed));
	return taken;
}

/* Another rate begins with all of its places: there is none to give back. */
void
limit_rate_give(struct shared *shared, const struct listener_conf *conf)
{
	_Atomic uint64_t *full = &shared->listeners[conf->index].full;
	struct gcra rate;
	uint64_t before;

	if (conf->session_rate.count == 0)
		return;
	rate = gcra_of(conf->session_rate.count, conf->session_rate.per);
	before = atomic_load_explicit(full, memory_order_relaxed);
	while (before >= rate.step && !atomic_compare_exchange_weak_explicit(
	    full, &before, before - rate.step, memory_order_relaxed,
	    memory_order_relaxed))
		;
}

static uint64_t
limit_hold_most(const struct session_limit *limit, uint64_t most)
{
	return limit->max != 0 && limit->max / 4 < most ? limit->max / 4 : most;
}

bool
limit_hold(struct shared *shared, const struct listener_conf *conf)
{
	uint64_t most = limit_hold_most(&shared->sessions,
	    limit_hold_most(&shared->listeners[conf->index], HOLD_MOST));

	if (atomic_fetch_add_explicit(&shared->held, 1,
	    memory_order_relaxed) < most)
		return true;
	limit_let_go(shared);
	return false;
}

void
limit_let_go(struct shared *shared)
{
	atomic_fetch_sub_explicit(&shared->held, 1, memory_order_relaxed);
}

bool
limit_held(const struct shared *shared, const struct listener_conf *conf)
{
	return atomic_load_explicit(&shared->listeners[conf->index].used,
	    memory_order_relaxed) > 0;
}
