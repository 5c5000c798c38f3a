#include "note.h"

#include "proxy/worker.h"
#include "session.h"

void
note_end(struct note *note)
{
	atomic_store_explicit(&note->turns.value, ACTIVITY_ENDED,
	    memory_order_relaxed);
}

void
note_read(const struct note *note, struct activity *a)
{
	uint64_t at = atomic_load_explicit(&note->session,
	    memory_order_relaxed);
	size_t phase = (size_t)(at >> NOTE_PHASE_SHIFT);

	a->turns = counter_get(&note->turns);
	a->session = at & ((UINT64_C(1) << NOTE_ORDER_BITS) - 1);
	a->phase = phase == 0 ? NULL : session_phase_name(phase - 1);
	a->listener = (size_t)(at >> NOTE_ORDER_BITS) &
	    ((1 << NOTE_LISTENER_BITS) - 1);
}
