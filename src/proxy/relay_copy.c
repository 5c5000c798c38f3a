#include "relay_copy.h"

#include <errno.h>

#include "relay.h"
#include "worker-internal.h"

/* Whether the spill is gone now. */
static bool
relay_copy_flush(struct relay *r, struct worker *w)
{
	struct spill *s = r->spill;
	size_t n;

	if (s == NULL)
		return true;
	n = conn_send(r->to, s->data + s->start, s->len);
	s->start += (uint32_t)n;
	s->len -= (uint32_t)n;
	if (s->len > 0)
		return false;
	spill_free(&w->spills, s);
	r->spill = NULL;
	return true;
}

/* Reading goes on after a short read: data and a reset may have come in one
 * edge, and only the next recv tells. */
int
relay_copy(struct relay *r, struct worker *w, size_t budget)
{
	size_t moved = 0;

	while (moved < budget && r->to->writable && relay_copy_flush(r, w) &&
	    r->from->readable) {
		size_t sent, n;

		n = conn_recv(r->from, w->scratch, WORKER_SCRATCH);
		if (n == 0)
			break;
		moved += n;
		sent = conn_send(r->to, w->scratch, n);
		r->bytes += sent;
		if (sent == n || r->to->error != 0 || r->to->write_error != 0)
			continue;
		r->spill = spill_new(&w->spills, w->scratch + sent, n - sent);
		if (r->spill == NULL)
			return -ENOMEM;
		r->bytes += n - sent;
	}
	return 0;
}
