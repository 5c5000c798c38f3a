/* FLUSH: one side was reset.  What it had said before is still delivered (no
 * faster than before: a reset is no way around a limit of bandwidth), then the
 * other side is told: by FIN alone if that had come before the reset, else by a
 * reset, which waits until nothing of it could destroy (SO_LINGER 0 drops the
 * send queue). */
#include "net/sock.h"
#include "session.h"
#include "worker-internal.h"

#define FLUSH_NO_PROGRESS_MS 1000
#define FLUSH_POLL_MS	     100 /* no event says that a queue is empty */

/* The direction that still matters: from the side that was reset. */
static struct relay *
flush_relay(struct session *s)
{
	return s->client.error != 0 ? &s->to_upstream : &s->to_client;
}

static bool
flush_fin_came(const struct conn *c)
{
	return c->eof || c->hung_up;
}

static void
flush_begin(struct session *s)
{
	struct relay *r = flush_relay(s);
	bool client = r->from == &s->client;

	s->flushing = true;
	s->progress = worker_now(s->worker);
	s->look_at = s->progress + FLUSH_POLL_MS;
	s->unsent = UINT64_MAX;
	s->ending = (struct ending){ .by = client ? BY_CLIENT : BY_UPSTREAM,
		.how = HOW_RST, .error = r->from->error };
	if (sock_is_short(r->from->error)) {
		s->ending.by = BY_PROXY;
		s->ending.how = HOW_ERROR;
	}
	r->from->readable = !r->from->eof;
}

/* After a reset recv says 0 where an earlier call took the error; if the FIN
 * was heard before, that 0 is the FIN all the same. */
static void
flush_pass_fin(struct relay *r)
{
	if (r->done || !relay_drained(r) || !flush_fin_came(r->from))
		return;
	conn_shutdown(r->to);
	r->done = true;
}

static void
flush_note_progress(struct session *s, uint64_t unsent)
{
	if (unsent != s->unsent || flush_relay(s)->held)
		s->progress = worker_now(s->worker);
	s->unsent = unsent;
}

enum phase_answer
phase_flush(struct session *s)
{
	struct relay *r = flush_relay(s);
	struct relay *back = r == &s->to_client ? &s->to_upstream :
	    &s->to_client;
	uint64_t unsent;

	if (!s->flushing)
		flush_begin(s);
	if (relay_pump(r, s->worker) < 0)
		return PHASE_END;
	flush_pass_fin(r);
	unsent = (uint64_t)sock_unsent(r->to->fd);
	if ((relay_drained(r) && unsent == 0) || r->to->write_error != 0)
		return PHASE_END;
	relay_pump(back, s->worker);
	if (conn_check(r->to))
		return PHASE_END;
	flush_note_progress(s, unsent + r->pending);
	return PHASE_WAIT;
}

static uint64_t
flush_limit(const struct session *s)
{
	const struct conn *from = s->client.error != 0 ? &s->client :
	    &s->upstream;
	uint64_t half = s->listener->half_close_timeout;

	if (!flush_fin_came(from))
		return s->progress + FLUSH_NO_PROGRESS_MS;
	return half == 0 ? UINT64_MAX : s->progress + half;
}

uint64_t
phase_flush_deadline(const struct session *s)
{
	uint64_t at = flush_limit(s);

	return at < s->look_at ? at : s->look_at;
}

enum phase_answer
phase_flush_expire(struct session *s)
{
	uint64_t now = worker_now(s->worker);

	conn_catch_up(&s->client);
	conn_catch_up(&s->upstream);
	s->look_at = now + FLUSH_POLL_MS;
	if (phase_flush(s) == PHASE_END || flush_limit(s) <= now)
		return PHASE_END;
	return PHASE_WAIT;
}
