/* ADMIT: may this client come in?  allow and deny are asked for the address
 * that the session carries.  A slot of max_sessions was taken before accept(2),
 * so that clients over that limit wait in the kernel's queue and not here. */
#include <assert.h>

#include "acl.h"
#include "limit.h"
#include "session.h"
#include "worker-internal.h"

/* The reason is told when the client is let go, at the latest. */
static void
admit_explain(struct session *s)
{
	struct worker *w = s->worker;

	acl_explain(snapshot_config(w->snapshot), &s->listener->access,
	    &s->peer, &s->ending, (char *)w->scratch);
}

/* Whether somebody who hears nothing still waits: who has closed is gone, half
 * or whole, since there is nothing to be had here. */
static enum phase_answer
admit_keep(struct session *s)
{
	if (!conn_check(&s->client) && !s->client.hung_up)
		return PHASE_WAIT;
	admit_explain(s);
	return PHASE_END;
}

static enum phase_answer
admit_deny(struct session *s)
{
	struct worker *w = s->worker;
	enum deny_action action = s->listener->deny_action;

	counter_add(&session_stats(s)->denied, 1);
	if (action == DENY_DROP &&
	    limit_hold(w->shared, s->listener)) {
		s->held = true;
		s->active = worker_now(w);
		return admit_keep(s);
	}
	if (action == DENY_CLOSE)
		conn_shutdown(&s->client);
	admit_explain(s);
	return PHASE_END;
}

enum phase_answer
phase_admit(struct session *s)
{
	assert(limit_held(s->worker->shared, s->listener));
	if (s->held)
		return admit_keep(s);
	return acl_allows(&s->listener->access, &s->peer) ? PHASE_NEXT :
	    admit_deny(s);
}

uint64_t
phase_admit_deadline(const struct session *s)
{
	return s->active + s->listener->greeting_timeout;
}

enum phase_answer
phase_admit_expire(struct session *s)
{
	admit_explain(s);
	return PHASE_END;
}

void
phase_admit_leave(struct session *s)
{
	if (s->held)
		limit_let_go(s->worker->shared);
	s->held = false;
}
