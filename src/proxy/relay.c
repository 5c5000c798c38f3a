#include "relay.h"

#include <errno.h>

#include "relay_copy.h"
#include "relay_splice.h"
#include "worker-internal.h"

/* Below, a copy is cheaper than a pipe's two calls; measured. */
#define BULK_READ  (32 * 1024)
#define BULK_READS 2 /* of them in a row: it is bulk */
#define BULK_ENDS  3 /* pumps in a row that moved less: it is not */

void
relay_open(struct relay *r, struct session *s, struct conn *from,
    struct conn *to)
{
	*r = (struct relay){ .session = s, .from = from, .to = to };
}

void
relay_wait(struct relay *r, struct relay_queue *queue)
{
	if (r->queue == queue)
		return;
	if (r->queue != NULL)
		TAILQ_REMOVE(r->queue, r, link);
	if (queue != NULL)
		TAILQ_INSERT_TAIL(queue, r, link);
	r->queue = queue;
}

void
relay_close(struct relay *r, struct worker *w)
{
	relay_wait(r, NULL);
	relay_splice_close(r, w);
	spill_free(&w->spills, r->spill);
	r->spill = NULL;
	r->bytes -= r->pending;
	r->pending = 0;
}

uint64_t
relay_delivered(const struct relay *r)
{
	return r->bytes - r->pending;
}

bool
relay_drained(const struct relay *r)
{
	return r->done || (r->pending == 0 && (r->from->eof ||
	    (r->from->error != 0 && !r->from->readable)));
}

static bool
relay_has_no_reader(const struct relay *r)
{
	return r->to->error != 0 || r->to->write_error != 0;
}

bool
relay_runnable(const struct relay *r)
{
	if (relay_has_no_reader(r))
		return !r->done && r->from->readable;
	return !r->done && r->to->writable &&
	    (r->pending > 0 || (r->from->readable && !r->held));
}

static void
relay_note(struct relay *r, struct worker *w, uint64_t delivered)
{
	struct session *s = r->session;
	struct listener_stats *stats = session_stats(s);

	if (delivered == 0)
		return;
	s->active = worker_now(w);
	counter_add(r == &s->to_upstream ? &stats->bytes_to_upstream :
	    &stats->bytes_to_client, delivered);
}

static void
relay_learn(struct relay *r, bool bulk, unsigned enough)
{
	r->streak = bulk == r->bulk ? 0 : r->streak + 1;
	if (r->streak < enough)
		return;
	r->bulk = bulk;
	r->streak = 0;
}

/* Whether nothing is in flight now. */
static bool
relay_flush(struct relay *r, struct worker *w)
{
	if (r->pending == 0)
		return true;
	if (r->spill != NULL)
		relay_copy_flush(r, w);
	else
		relay_splice_flush(r);
	return r->pending == 0;
}

/* How many bytes may be taken on now: none, and it waits for tokens. */
static size_t
relay_allowed(struct relay *r, struct meter *meter, struct worker *w)
{
	size_t room;

	if (meter == NULL)
		return SIZE_MAX;
	room = meter_room(meter, worker_now(w));
	r->held = room == 0;
	return room;
}

/* One round.  Where a pipe gets nothing, recv says whether that is all.  Bytes
 * are paid for when they are taken on, since they are in flight from then
 * on. */
static int
relay_step(struct relay *r, struct worker *w, size_t *moved)
{
	struct meter *meter = session_meter(r);
	size_t most = relay_allowed(r, meter, w);
	int error = 0;

	*moved = 0;
	if (most == 0)
		return 0;
	*moved = relay_splice(r, w, most);
	if (*moved == 0)
		error = relay_copy(r, w, most, moved);
	if (meter != NULL)
		meter_take(meter, *moved);
	return error;
}

static int
relay_move(struct relay *r, struct worker *w)
{
	size_t budget = r->bulk ? RELAY_BULK_BUDGET : RELAY_BUDGET, n, sum = 0;
	int error = 0;

	while (sum < budget && r->to->writable && relay_flush(r, w) &&
	    r->from->readable && !r->held && error == 0) {
		error = relay_step(r, w, &n);
		sum += n;
		if (!r->bulk && n > 0)
			relay_learn(r, n >= BULK_READ, BULK_READS);
	}
	relay_splice_rest(r, w);
	if (r->bulk && sum > 0)
		relay_learn(r, sum >= BULK_READ, BULK_ENDS);
	return error;
}

/* What has no reader is thrown away: a peer that is stuck writing would never
 * come to read what is there for it. */
static void
relay_discard(struct relay *r, struct worker *w)
{
	size_t n = 1;

	for (size_t sum = 0; n > 0 && sum < RELAY_BUDGET; sum += n)
		n = conn_recv(r->from, w->scratch, WORKER_SCRATCH);
	r->session->active = worker_now(w);
}

/* With its second FIN the session ends, and close(2) sends that: what 'to' said
 * was read to its end, so it is no reset. */
static bool
relay_is_last(const struct relay *r)
{
	const struct session *s = r->session;
	const struct relay *back = r == &s->to_upstream ? &s->to_client :
	    &s->to_upstream;

	return back->done && !s->flushing;
}

static void
relay_pass_fin(struct relay *r)
{
	if (relay_is_last(r))
		r->to->shut = true;
	else
		conn_shutdown(r->to);
	r->done = true;
}

static void
relay_note_work_left(const struct relay *r)
{
	struct meter *meter = session_meter(r);

	if (meter != NULL)
		meter->busy = r->held || relay_runnable(r);
}

int
relay_pump(struct relay *r, struct worker *w)
{
	uint64_t before = relay_delivered(r);
	int error = 0;

	if (relay_runnable(r) && relay_has_no_reader(r))
		relay_discard(r, w);
	else if (relay_runnable(r))
		error = relay_move(r, w);
	relay_note(r, w, relay_delivered(r) - before);
	if (!r->done && r->from->eof && r->pending == 0 &&
	    !relay_has_no_reader(r))
		relay_pass_fin(r);
	relay_note_work_left(r);
	return error;
}
