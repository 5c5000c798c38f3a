#include "verdict.h"

bool
verdict_take(struct verdict *v, bool good, uint64_t rise, uint64_t fall)
{
	uint64_t needed = !v->asked ? 1 : v->down ? rise : fall;

	v->asked = true;
	if (good != v->down) {
		v->row = 0;
		return false;
	}
	if (++v->row < needed)
		return false;
	v->row = 0;
	v->down = !good;
	return true;
}

uint64_t
verdict_wait(const struct verdict *v, uint64_t interval, uint64_t random)
{
	uint64_t wait = v->row > 0 ? interval / 4 : interval;

	return wait - wait / 10 + random % (wait / 5 + 1);
}
