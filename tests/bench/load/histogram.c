#include "load.h"

/* A row a power of two, whose 64 steps are equal. */
void
histogram_add(struct histogram *h, uint64_t ns)
{
	unsigned row = 0;
	uint64_t step = ns;

	for (; step >= 128; step >>= 1)
		row++;
	if (step >= 64)
		row++;
	h->count[row][step & 63]++;
	h->total++;
	if (ns > h->max)
		h->max = ns;
}

/* The least time that so much of all were done in. */
uint64_t
histogram_part(const struct histogram *h, double part)
{
	uint64_t seen = 0;

	for (unsigned row = 0; row < 64; row++)
		for (uint64_t step = 0; step < 64; step++) {
			seen += h->count[row][step];
			if (seen > 0 && (double)seen >=
			    part * (double)h->total)
				return row == 0 ? step :
				    (step + 64) << (row - 1);
		}
	return h->max;
}
