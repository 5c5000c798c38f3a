#include "base/gcra.h"

#define NS_PER_MS UINT64_C(1000000)

struct gcra
gcra_of(uint64_t count, uint64_t ms)
{
	uint64_t step = (ms * NS_PER_MS + count - 1) / count;

	return (struct gcra){ step, step * count };
}

bool
gcra_take(const struct gcra *rate, uint64_t *full, uint64_t now)
{
	uint64_t next = (*full > now ? *full : now) + rate->step;

	if (next > now + rate->whole)
		return false;
	*full = next;
	return true;
}
