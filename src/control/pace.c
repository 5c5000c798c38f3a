#include "pace.h"

/* Between two looks: a short time in which many leave is one, drawn out. */
#define LOOK_MS	  20
#define LOOK_MOST 1000

/* After a pause of ours nobody makes up for more than this. */
#define BURST_MS 250

void
pace_init(struct pace *p, uint64_t now, const struct rate_limit *rate,
    uint64_t deadline)
{
	*p = (struct pace){ .looked = now, .until = PACE_NEVER };
	if (rate->count > 0)
		p->rate = (double)rate->count / (double)rate->per;
	if (deadline == PACE_NEVER)
		return;
	p->until = now + deadline;
	p->spread = deadline / 10;
}

static uint64_t
pace_last_begins(const struct pace *p)
{
	return p->until == PACE_NEVER ? PACE_NEVER : p->until - p->spread;
}

/* Sessions a millisecond.  In the last tenth the last of them is to go as the
 * deadline comes. */
static double
pace_rate(const struct pace *p, uint64_t now, uint64_t left)
{
	double even;

	if (now < pace_last_begins(p) || now >= p->until)
		return p->rate;
	even = (double)left / (double)(p->until - now);
	return even > p->rate ? even : p->rate;
}

/* Of the time since the last look, that before the last tenth counts by the rate
 * alone. */
size_t
pace_due(struct pace *p, uint64_t now, uint64_t left)
{
	double rate = pace_rate(p, now, left), most = 2 + rate * BURST_MS;
	uint64_t last = pace_last_begins(p);

	if (now >= p->until)
		return PACE_ALL;
	if (p->looked < last && last <= now) {
		p->due += p->rate * (double)(last - p->looked);
		p->looked = last;
	}
	p->due += rate * (double)(now - p->looked);
	if (p->due > most)
		p->due = most;
	p->looked = now;
	return (size_t)p->due;
}

void
pace_took(struct pace *p, size_t count)
{
	p->due = p->due > (double)count ? p->due - (double)count : 0;
}

/* From half of it to half as much again: on the average as long. */
static uint64_t
pace_jitter(uint64_t ms, uint32_t random)
{
	return ms / 2 + ((ms + 1) * random >> 32);
}

uint64_t
pace_wait(const struct pace *p, uint64_t now, uint64_t left, uint32_t random)
{
	double rate = pace_rate(p, now, left), wait = LOOK_MOST;
	uint64_t ms;

	if (now >= p->until)
		return 0;
	if (rate == 0 && p->until == PACE_NEVER)
		return PACE_NEVER;
	if (rate == 0 && now < pace_last_begins(p))
		return pace_last_begins(p) - now;
	if (rate > 0 && (1 - p->due) / rate < LOOK_MOST)
		wait = (1 - p->due) / rate;
	ms = pace_jitter(wait > LOOK_MS ? (uint64_t)wait : LOOK_MS, random);
	return ms < p->until - now ? ms : p->until - now;
}
