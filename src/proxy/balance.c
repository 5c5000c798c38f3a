#include "proxy/balance.h"

static bool
balance_tried(const uint64_t *tried, size_t i)
{
	return (tried[i / 64] >> (i % 64) & 1) != 0;
}

/* Each candidate gains its weight, the richest is taken and pays the sum. */
static size_t
balance_tier(const struct endpoint_set *set, int64_t *current,
    const uint64_t *tried, bool backup)
{
	size_t best = BALANCE_NONE;
	int64_t total = 0;

	for (size_t i = 0; i < set->count; i++) {
		const struct endpoint *e = &set->endpoints[i];

		if (e->backup != backup || balance_tried(tried, i))
			continue;
		current[i] += (int64_t)e->weight;
		total += (int64_t)e->weight;
		if (best == BALANCE_NONE || current[i] > current[best])
			best = i;
	}
	if (best != BALANCE_NONE)
		current[best] -= total;
	return best;
}

size_t
balance_round_robin(const struct endpoint_set *set, int64_t *current,
    const uint64_t *tried)
{
	size_t best = balance_tier(set, current, tried, false);

	return best != BALANCE_NONE ? best :
	    balance_tier(set, current, tried, true);
}
