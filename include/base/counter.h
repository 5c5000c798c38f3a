/* Counters that one thread writes and any thread reads, without a lock or a
 * locked instruction. */
#ifndef SLUICE_BASE_COUNTER_H
#define SLUICE_BASE_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
	_Atomic uint64_t value;
};

/* Only the one thread that owns the counter. */
static inline void
counter_add(struct counter *c, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&c->value, memory_order_relaxed);

	atomic_store_explicit(&c->value, value + n, memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t
counter_get(const struct counter *c)
{
	return atomic_load_explicit(&c->value, memory_order_relaxed);
}

#endif
