/* Two by chance, and of these the less busy one: nearly as even as asking all
 * (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing"), at
 * the price of two, and workers that know nothing of each other do not all run
 * to the same. */
#include "balance-internal.h"
#include "base/hash.h"

#define DRAWS 8 /* before all are asked */

/* The weights up to and with each; backups have none here. */
void
balance_random_init(struct balance *b)
{
	int64_t sum = 0;

	for (size_t i = 0; i < b->set->count; i++) {
		const struct endpoint *e = &b->set->endpoints[i];

		sum += e->backup ? 0 : e->weight;
		b->current[i] = sum;
	}
}

/* Less than 'most', which is below 2^32. */
static uint64_t
random_below(uint64_t *random, uint64_t most)
{
	*random += 0x9e3779b97f4a7c15;
	return (hash_mix(*random) >> 32) * most >> 32;
}

/* A primary, as often as it has weight. */
static size_t
random_draw(const struct balance *b, uint64_t *random)
{
	size_t low = 0, high = b->set->count - 1;
	int64_t at;

	at = (int64_t)random_below(random, (uint64_t)b->current[high]);
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (b->current[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The same where that does not help: of all that may, but for one. */
static size_t
random_scan(const struct balance *b, const struct balance_ask *ask,
    bool backup, uint64_t *random, size_t but)
{
	size_t best = BALANCE_NONE;
	uint64_t sum = 0, weight;

	for (size_t i = 0; i < b->set->count; i++) {
		if (i == but || !balance_may(b, ask, i, backup))
			continue;
		weight = balance_weight(b, ask, i);
		sum += weight;
		if (random_below(random, sum) < weight)
			best = i;
	}
	return best;
}

/* Who starts slowly lets some pass. */
static bool
random_takes(const struct balance *b, const struct balance_ask *ask, size_t i,
    uint64_t *random)
{
	uint64_t share = balance_share(b, ask, i);

	return share == BALANCE_WHOLE ||
	    random_below(random, BALANCE_WHOLE) < share;
}

static size_t
random_one(const struct balance *b, const struct balance_ask *ask,
    bool backup, uint64_t *random, size_t but)
{
	size_t count = b->set->count;
	bool draws = count > 1 && !backup && b->current[count - 1] > 0;

	for (unsigned n = 0; draws && n < DRAWS; n++) {
		size_t i = random_draw(b, random);

		if (i != but && balance_may(b, ask, i, backup) &&
		    random_takes(b, ask, i, random))
			return i;
	}
	return random_scan(b, ask, backup, random, but);
}

size_t
balance_random(struct balance *b, const struct balance_ask *ask, bool backup)
{
	uint64_t random = ask->random;
	size_t one = random_one(b, ask, backup, &random, BALANCE_NONE), other;
	struct balance_load load, other_load;

	if (one == BALANCE_NONE)
		return BALANCE_NONE;
	other = random_one(b, ask, backup, &random, one);
	if (other == BALANCE_NONE)
		return one;
	load = balance_load(b, ask, one);
	other_load = balance_load(b, ask, other);
	return balance_load_compare(&other_load, &load) < 0 ? other : one;
}
