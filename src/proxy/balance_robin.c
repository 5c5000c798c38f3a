/* Smooth weighted round robin: of 5:1:1 the turns are a a b a c a a, not five
 * times a in a row.  Equal ones just take turns, which asks none but the next.
 */
#include "balance-internal.h"

static void
robin_advance(struct balance *b)
{
	b->turn = b->turn + 1 < b->set->count ? b->turn + 1 : 0;
}

/* Who starts slowly saves up its share at each turn, for a whole one. */
static bool
robin_takes(struct balance *b, const struct balance_ask *ask, size_t i)
{
	uint64_t share = balance_share(b, ask, i);

	if (share == BALANCE_WHOLE)
		return true;
	b->current[i] += (int64_t)share;
	if (b->current[i] < BALANCE_WHOLE)
		return false;
	b->current[i] -= BALANCE_WHOLE;
	return true;
}

/* Where all start slowly, whose turn it is takes it after all. */
static size_t
robin_turn(struct balance *b, const struct balance_ask *ask)
{
	size_t next = BALANCE_NONE;

	for (size_t n = 0; n < b->set->count; n++) {
		size_t i = b->turn;

		robin_advance(b);
		if (!balance_may(b, ask, i, false))
			continue;
		if (robin_takes(b, ask, i))
			return i;
		if (next == BALANCE_NONE)
			next = i;
	}
	if (next != BALANCE_NONE)
		b->turn = (uint32_t)((next + 1) % b->set->count);
	return next;
}

/* Each candidate gains its weight, the richest is taken and pays the sum. */
static size_t
robin_smooth(struct balance *b, const struct balance_ask *ask, bool backup)
{
	size_t best = BALANCE_NONE;
	int64_t total = 0;

	for (size_t i = 0; i < b->set->count; i++) {
		int64_t weight;

		if (!balance_may(b, ask, i, backup))
			continue;
		weight = (int64_t)balance_weight(b, ask, i);
		b->current[i] += weight;
		total += weight;
		if (best == BALANCE_NONE || b->current[i] > b->current[best])
			best = i;
	}
	if (best != BALANCE_NONE)
		b->current[best] -= total;
	return best;
}

size_t
balance_robin(struct balance *b, const struct balance_ask *ask, bool backup)
{
	return b->equal && !backup ? robin_turn(b, ask) :
	    robin_smooth(b, ask, backup);
}

/* As some picks would leave it. */
void
balance_robin_init(struct balance *b, uint64_t random)
{
	const struct balance_ask ask = { 0 };
	size_t turns = b->set->count > 1 ? random % b->set->count : 0;

	if (b->equal)
		b->turn = (uint32_t)turns;
	while (turns-- > 0 && !b->equal)
		balance_robin(b, &ask, false);
}
