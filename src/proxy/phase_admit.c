/* ADMIT: may this client come in?  Its slot was taken before accept(2), so that
 * clients over a limit wait in the kernel's queue and not here. */
#include <assert.h>

#include "limit.h"
#include "session.h"
#include "worker-internal.h"

enum phase_answer
phase_admit(struct session *s)
{
	assert(limit_held(s->worker->shared, s->listener));
	return PHASE_NEXT;
}
