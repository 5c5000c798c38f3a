#include "base/histogram.h"

#define MS    UINT64_C(1000)
#define S     (1000 * MS)
#define M     (60 * S)
#define H     (60 * M)

static const uint64_t bounds[HISTOGRAM_BUCKETS] = {
	500, 1 * MS, 2500, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS,
	250 * MS, 500 * MS, 1 * S, 2500 * MS, 5 * S, 10 * S, 1 * M, 10 * M,
	1 * H, 6 * H, 24 * H, UINT64_MAX,
};

uint64_t
histogram_bound(unsigned i)
{
	return bounds[i];
}

void
histogram_add(struct histogram *h, uint64_t us)
{
	unsigned i = 0;

	while (us > bounds[i])
		i++;
	counter_add(&h->buckets[i], 1);
	counter_add(&h->sum_us, us);
}

uint64_t
histogram_count(const struct histogram *h)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		count += counter_get(&h->buckets[i]);
	return count;
}
