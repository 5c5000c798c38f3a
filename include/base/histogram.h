/* How long things took: counts in buckets of fixed bounds, 0.5 ms to 24 h.
 * Written by one thread, read by any, like the counters it is made of. */
#ifndef SLUICE_BASE_HISTOGRAM_H
#define SLUICE_BASE_HISTOGRAM_H

#include <stdint.h>

#include "base/counter.h"

#define HISTOGRAM_BUCKETS 20

struct histogram {
	struct counter buckets[HISTOGRAM_BUCKETS];
	struct counter sum_us;
};

/* The upper bound of bucket 'i' in microseconds, which itself belongs to it
 * (Prometheus' "le"); UINT64_MAX for the last, which has none. */
uint64_t histogram_bound(unsigned i);

/* Counts one thing that took so long.  Only the thread that owns it. */
void histogram_add(struct histogram *, uint64_t us);

/* How many were counted.  Any thread. */
uint64_t histogram_count(const struct histogram *);

#endif
