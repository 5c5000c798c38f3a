/* ADMIT: may this client come in?  allow and deny are asked, and its sessions
 * counted, for the address that the session carries.  A slot of max_sessions,
 * and one of session_rate, was taken before accept(2), so that clients over
 * these limits wait in the kernel's queue and not here. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "acl.h"
#include "base/units.h"
#include "limit.h"
#include "proxy/clients.h"
#include "session.h"
#include "worker-internal.h"

/* The reason is told when the client is let go, at the latest. */
static void
admit_explain(struct session *s)
{
	acl_explain(&s->listener->access, &s->peer, &s->ending,
	    (char *)s->worker->scratch);
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
admit_drop(struct session *s)
{
	struct worker *w = s->worker;

	s->held = limit_hold(w->shared, s->listener);
	s->active = worker_now(w);
	if (s->held)
		return admit_keep(s);
	admit_explain(s);
	strcat((char *)w->scratch, ", and no place to hold it");
	return PHASE_END;
}

static enum phase_answer
admit_deny(struct session *s)
{
	enum deny_action action = s->listener->deny_action;

	counter_add(&session_stats(s)->denied[DENIED_BY_RULE], 1);
	if (action == DENY_DROP && !s->worker->draining)
		return admit_drop(s);
	if (action == DENY_CLOSE)
		conn_shutdown(&s->client);
	admit_explain(s);
	return PHASE_END;
}

/* How a session too many ends: 'most' is the rule's figure. */
static enum phase_answer
admit_limit(struct session *s, enum denial why, const char *cause,
    const char *rule, const char *most)
{
	counter_add(&session_stats(s)->denied[why], 1);
	s->ending = (struct ending){ .by = BY_PROXY, .how = HOW_LIMIT,
		.cause = cause, .detail = most, .rule = rule };
	return PHASE_END;
}

static enum phase_answer
admit_many(struct session *s)
{
	uint64_t count = s->listener->max_sessions_per_client;
	char *most = (char *)s->worker->scratch;

	snprintf(most, WORKER_SCRATCH, "%ju %s there", (uintmax_t)count,
	    count == 1 ? "is" : "are");
	return admit_limit(s, DENIED_SESSIONS, "too many sessions of this "
	    "client", "max_sessions_per_client", most);
}

static enum phase_answer
admit_fast(struct session *s)
{
	const struct rate_limit *rate = &s->listener->session_rate_per_client;
	char *most = (char *)s->worker->scratch, per[UNITS_TEXT];

	snprintf(most, WORKER_SCRATCH, "%ju in %s %s the most",
	    (uintmax_t)rate->count, duration_text(rate->per, per),
	    rate->count == 1 ? "is" : "are");
	return admit_limit(s, DENIED_RATE, "new sessions of this client come "
	    "too fast", "session_rate_per_client", most);
}

static enum phase_answer
admit_count(struct session *s)
{
	struct worker *w = s->worker;

	switch (clients_take(w->shared->clients, s->listener, &s->peer,
	    worker_now(w))) {
	case CLIENTS_TAKEN:
		s->counted = true;
		break;
	case CLIENTS_MANY:
		return admit_many(s);
	case CLIENTS_FAST:
		return admit_fast(s);
	case CLIENTS_NO_MEMORY:
		s->ending = (struct ending){ .by = BY_PROXY,
			.how = HOW_ERROR, .error = -ENOMEM };
		return PHASE_END;
	}
	return PHASE_NEXT;
}

enum phase_answer
phase_admit(struct session *s)
{
	assert(limit_held(s->worker->shared, s->listener));
	if (s->held)
		return admit_keep(s);
	if (!acl_allows(&s->listener->access, &s->peer))
		return admit_deny(s);
	return clients_are_limited(s->listener) ? admit_count(s) : PHASE_NEXT;
}

/* A worker that is to stop waits for nobody who gets nothing. */
uint64_t
phase_admit_deadline(const struct session *s)
{
	return s->worker->draining ? 0 :
	    s->active + s->listener->greeting_timeout;
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
	struct worker *w = s->worker;

	if (s->held)
		limit_let_go(w->shared);
	if (s->counted)
		clients_give(w->shared->clients, s->listener, &s->peer,
		    worker_now(w));
	s->held = s->counted = false;
}
