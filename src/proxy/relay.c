#include "relay.h"

#include <errno.h>

#include "relay_copy.h"
#include "worker-internal.h"

void
relay_open(struct relay *r, struct session *s, struct conn *from,
    struct conn *to)
{
	*r = (struct relay){ .session = s, .from = from, .to = to };
}

void
relay_close(struct relay *r, struct worker *w)
{
	if (r->queued)
		TAILQ_REMOVE(&w->queue, r, link);
	r->queued = false;
	spill_free(&w->spills, r->spill);
	r->spill = NULL;
}

uint64_t
relay_delivered(const struct relay *r)
{
	return r->bytes - (r->spill != NULL ? r->spill->len : 0);
}

bool
relay_drained(const struct relay *r)
{
	return r->done || (r->spill == NULL && (r->from->eof ||
	    (r->from->error != 0 && !r->from->readable)));
}

bool
relay_runnable(const struct relay *r)
{
	return !r->done && r->to->writable &&
	    (r->spill != NULL || r->from->readable);
}

static void
relay_note(struct relay *r, struct worker *w, uint64_t delivered)
{
	struct session *s = r->session;

	if (delivered == 0)
		return;
	s->active = worker_now(w);
	counter_add(r == &s->to_upstream ? &s->stats->bytes_to_upstream :
	    &s->stats->bytes_to_client, delivered);
}

int
relay_pump(struct relay *r, struct worker *w)
{
	uint64_t before = relay_delivered(r);
	int error = 0;

	if (relay_runnable(r))
		error = relay_copy(r, w, RELAY_BUDGET);
	relay_note(r, w, relay_delivered(r) - before);
	if (!r->done && r->from->eof && r->spill == NULL &&
	    r->to->error == 0 && r->to->write_error == 0) {
		conn_shutdown(r->to);
		r->done = true;
	}
	return error;
}
