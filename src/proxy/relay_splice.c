#include "relay_splice.h"

#include "config/snapshot.h"
#include "net/conn_splice.h"
#include "relay.h"
#include "worker-internal.h"

static bool
relay_wants_pipe(const struct relay *r)
{
	switch (r->session->listener->relay) {
	case RELAY_AUTO:
		return r->bulk;
	case RELAY_COPY:
		return false;
	case RELAY_SPLICE:
		return true;
	}
	return false;
}

static size_t
relay_pipe_size(const struct worker *w)
{
	return snapshot_config(w->snapshot)->global.pipe_size;
}

static bool
relay_has_pipe(struct relay *r, struct worker *w)
{
	if (r->pipe == NULL && relay_wants_pipe(r))
		r->pipe = pipe_take(&w->pipes, relay_pipe_size(w),
		    w->shared->max_pipes, worker_now(w));
	return r->pipe != NULL;
}

void
relay_splice_flush(struct relay *r)
{
	size_t n = 1;

	while (r->pending > 0 && n > 0) {
		n = conn_splice_to(r->to, r->pipe->out, r->pending);
		r->pending -= (uint32_t)n;
	}
}

size_t
relay_splice(struct relay *r, struct worker *w, size_t most)
{
	size_t n, size;

	if (!relay_has_pipe(r, w))
		return 0;
	size = relay_pipe_size(w);
	n = conn_splice_from(r->from, r->pipe->in, most < size ? most : size);
	r->bytes += n;
	r->pending = (uint32_t)n;
	relay_splice_flush(r);
	return n;
}

static bool
relay_pipe_holds(const struct relay *r)
{
	return r->pending > 0 && r->spill == NULL;
}

void
relay_splice_rest(struct relay *r, struct worker *w)
{
	if (r->pipe == NULL || relay_pipe_holds(r))
		return;
	pipe_give(&w->pipes, r->pipe);
	r->pipe = NULL;
}

void
relay_splice_close(struct relay *r, struct worker *w)
{
	relay_splice_rest(r, w);
	if (r->pipe != NULL)
		pipe_drop(&w->pipes, r->pipe);
	r->pipe = NULL;
}
