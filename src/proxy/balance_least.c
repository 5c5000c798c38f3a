/* Who has the fewest sessions for its weight.  The counters are exact, what is
 * read of them may be old by what others pick meanwhile. */
#include "balance-internal.h"

/* The best, and how many are as good. */
static size_t
least_find(const struct balance *b, const struct balance_ask *ask, bool backup,
    struct balance_load *least, size_t *ties)
{
	size_t best = BALANCE_NONE;

	for (size_t i = 0; i < b->set->count; i++) {
		struct balance_load load;
		int order = -1;

		if (!balance_may(b, ask, i, backup))
			continue;
		load = balance_load(b, ask, i);
		if (best != BALANCE_NONE)
			order = balance_load_compare(&load, least);
		if (order == 0)
			++*ties;
		if (order >= 0)
			continue;
		best = i;
		*least = load;
		*ties = 1;
	}
	return best;
}

/* A step of smooth round robin among those that are as good, so that idle
 * servers are not all served by the first of them. */
static size_t
least_turn(struct balance *b, const struct balance_ask *ask, bool backup,
    const struct balance_load *least)
{
	size_t best = BALANCE_NONE;
	int64_t total = 0;

	for (size_t i = 0; i < b->set->count; i++) {
		struct balance_load load;

		if (!balance_may(b, ask, i, backup))
			continue;
		load = balance_load(b, ask, i);
		if (balance_load_compare(&load, least) > 0)
			continue;
		b->current[i] += (int64_t)load.weight;
		total += (int64_t)load.weight;
		if (best == BALANCE_NONE || b->current[i] > b->current[best])
			best = i;
	}
	if (best != BALANCE_NONE)
		b->current[best] -= total;
	return best;
}

size_t
balance_least(struct balance *b, const struct balance_ask *ask, bool backup)
{
	struct balance_load least = { 0 };
	size_t ties = 0, best, turn;

	best = least_find(b, ask, backup, &least, &ties);
	if (ties < 2)
		return best;
	turn = least_turn(b, ask, backup, &least);
	return turn != BALANCE_NONE ? turn : best;
}
