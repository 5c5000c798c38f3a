#include "freshness.h"

#define PAUSE_MS       1000 /* between two questions, at least */
#define UNKNOWN_TTL_MS 30000
#define RETRY_MOST_MS  30000

static uint64_t
clamp(uint64_t value, uint64_t least, uint64_t most)
{
	if (value > most)
		value = most;
	return value < least ? least : value;
}

void
freshness_ask(struct freshness *f, uint64_t now)
{
	f->asked_at = now;
}

void
freshness_good(struct freshness *f, uint64_t now, bool has_ttl, uint32_t ttl)
{
	f->ttl = clamp(has_ttl ? (uint64_t)ttl * 1000 : UNKNOWN_TTL_MS,
	    f->ttl_min, f->ttl_max);
	f->good_at = now;
	f->failing_since = 0;
	f->half_since = 0;
	f->retry = 0;
	f->due_at = now + (f->ttl > PAUSE_MS ? f->ttl : PAUSE_MS);
}

bool
freshness_half(struct freshness *f, uint64_t now, bool has_ttl, uint32_t ttl)
{
	uint64_t since = f->half_since, retry = f->retry;

	if (since == 0)
		since = f->failing_since > 0 ? f->failing_since : now;
	freshness_good(f, now, has_ttl, ttl);
	f->half_since = since;
	f->retry = clamp(retry * 2, PAUSE_MS, RETRY_MOST_MS);
	if (now + f->retry < f->due_at)
		f->due_at = now + f->retry;
	return now - since < FRESHNESS_STALE_MS;
}

bool
freshness_bad(struct freshness *f, uint64_t now)
{
	if (f->failing_since == 0)
		f->failing_since = now;
	f->retry = clamp(f->retry * 2, PAUSE_MS, RETRY_MOST_MS);
	f->due_at = now + f->retry;
	return f->good_at > 0 && now - f->failing_since < FRESHNESS_STALE_MS;
}

void
freshness_forget(struct freshness *f)
{
	f->due_at = UINT64_MAX;
}

bool
freshness_hurry(struct freshness *f, uint64_t now)
{
	uint64_t soon = f->asked_at + PAUSE_MS;

	if (soon < now)
		soon = now;
	if (soon >= f->due_at)
		return false;
	f->due_at = soon;
	return true;
}

bool
freshness_is_settled(const struct freshness *f)
{
	return f->good_at > 0 || f->failing_since > 0;
}

uint64_t
freshness_left(const struct freshness *f, uint64_t now)
{
	return f->due_at > now ? f->due_at - now : 0;
}
