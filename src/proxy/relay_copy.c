#include "relay_copy.h"

#include <errno.h>

#include "relay.h"
#include "session.h"
#include "stray.h"
#include "worker-internal.h"

void
relay_copy_flush(struct relay *r, struct worker *w)
{
	struct spill *s = r->spill;
	size_t n = conn_send(r->to, s->data + s->start, s->len);

	s->start += (uint32_t)n;
	s->len -= (uint32_t)n;
	r->pending = s->len;
	if (s->len > 0)
		return;
	spill_free(&w->spills, s);
	r->spill = NULL;
}

/* What is left of a read goes to a spill; bytes for a side that takes no more
 * are lost either way. */
static int
relay_copy_rest(struct relay *r, struct worker *w, const uint8_t *data,
    size_t len)
{
	if (len == 0 || r->to->error != 0 || r->to->write_error != 0)
		return 0;
	r->spill = spill_new(&w->spills, data, len);
	if (r->spill == NULL)
		return -ENOMEM;
	r->bytes += len;
	r->pending = (uint32_t)len;
	return 0;
}

static void
relay_copy_doubt(struct relay *r, const struct worker *w)
{
	conn_doubt(r->from);
	r->doubted = w->doubts.now;
}

/* Bulk comes here where there is no pipe for it: the more at a time, the fewer
 * calls.  Else little is read, since what cannot be sent takes memory. */
int
relay_copy(struct relay *r, struct worker *w, size_t most, size_t *moved)
{
	size_t sent, size = r->bulk ? WORKER_SCRATCH : RELAY_READ;

	if (size > most)
		size = most;
	*moved = conn_recv(r->from, w->scratch, size);
	if (*moved == 0)
		return 0;
	if (*moved < size && r->tcp)
		relay_copy_doubt(r, w);
	if (r->bytes == 0 && r == &r->session->to_upstream)
		stray_look(r->session, w->scratch, *moved);
	sent = conn_send(r->to, w->scratch, *moved);
	r->bytes += sent;
	return relay_copy_rest(r, w, w->scratch + sent, *moved - sent);
}
