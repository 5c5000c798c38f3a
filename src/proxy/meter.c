#include "meter.h"

#include <assert.h>

#define MS_MOST 1000 /* that one look adds: any limit is reached by then */

/* A slow rate gets at least what is worth moving. */
static uint64_t
meter_credit_of(const struct meter *m, uint64_t ms, uint64_t least)
{
	return m->rate * ms > least * 1000 ? m->rate * ms : least * 1000;
}

static uint64_t
meter_most(const struct meter *m)
{
	return meter_credit_of(m, m->busy ? METER_LATE_MS : METER_BURST_MS,
	    METER_LEAST * 2);
}

static void
meter_fill(struct meter *m, uint64_t now)
{
	uint64_t most = meter_most(m), ms;

	if (now <= m->filled)
		return;
	ms = now - m->filled;
	m->filled = now;
	if (m->credit >= most)
		return;
	m->credit += m->rate * (ms < MS_MOST ? ms : MS_MOST);
	if (m->credit > most)
		m->credit = most;
}

void
meter_init(struct meter *m, uint64_t rate, uint64_t now)
{
	*m = (struct meter){ .rate = rate, .filled = now };
	m->credit = meter_most(m);
}

size_t
meter_room(struct meter *m, uint64_t now)
{
	if (m->rate == 0)
		return SIZE_MAX;
	meter_fill(m, now);
	return m->credit < METER_LEAST * 1000 ? 0 : (size_t)(m->credit / 1000);
}

void
meter_take(struct meter *m, size_t bytes)
{
	if (m->rate == 0)
		return;
	assert(bytes <= m->credit / 1000);
	m->credit -= bytes * 1000;
}

/* Nothing is filled before the time at which it last was. */
void
meter_owe(struct meter *m, size_t bytes)
{
	uint64_t price = bytes * 1000;

	if (m->rate == 0)
		return;
	if (price > m->credit) {
		m->filled += (price - m->credit + m->rate - 1) / m->rate;
		price = m->credit;
	}
	m->credit -= price;
}

bool
meter_is_full(struct meter *m, uint64_t now)
{
	meter_fill(m, now);
	return m->credit >= meter_credit_of(m, METER_WAIT_MS, METER_LEAST);
}
