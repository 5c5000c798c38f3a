/* What a worker is at, noted for others to read: how many turns it has begun,
 * and which session it works on, packed into one word so that order, phase and
 * listener are of the same moment.  Two plain stores to a line that is the
 * worker's own, where a session is advanced; no reader dereferences anything. */
#ifndef SLUICE_PROXY_NOTE_H
#define SLUICE_PROXY_NOTE_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/rows.h"

struct activity;

#define NOTE_ORDER_BITS	   36 /* as many as an id has for it */
#define NOTE_LISTENER_BITS 20
#define NOTE_PHASE_SHIFT   (NOTE_ORDER_BITS + NOTE_LISTENER_BITS)
static_assert(ROWS_MOST <= 1 << NOTE_LISTENER_BITS, "places do not fit");

struct note {
	struct counter	 turns;
	_Atomic uint64_t session; /* phase + 1, listener, order; 0: none */
};

static inline void
note_session(struct note *note, uint64_t order, size_t phase, size_t listener)
{
	atomic_store_explicit(&note->session,
	    (uint64_t)(phase + 1) << NOTE_PHASE_SHIFT |
	    (uint64_t)listener << NOTE_ORDER_BITS |
	    (order & ((UINT64_C(1) << NOTE_ORDER_BITS) - 1)),
	    memory_order_relaxed);
}

static inline void
note_nothing(struct note *note)
{
	atomic_store_explicit(&note->session, 0, memory_order_relaxed);
}

static inline void
note_turn(struct note *note)
{
	counter_add(&note->turns, 1);
}

/* The worker's thread ends. */
void note_end(struct note *);

/* Any thread; 'session' is only its order yet. */
void note_read(const struct note *, struct activity *);

#endif
