#include "refill.h"

#include <errno.h>

#include "worker-internal.h"

static void
refill_arm(struct refill *f)
{
	const struct timeval tv = { .tv_usec = REFILL_MS * 1000 };

	f->armed = event_add(&f->timer, &tv) == 0;
}

static bool
refill_is_due(const struct relay *r)
{
	return meter_is_full(session_meter(r), worker_now(r->session->worker));
}

static void
refill_timer(evutil_socket_t fd, short what, void *arg)
{
	struct refill *f = arg;
	struct relay *r, *next;

	(void)fd, (void)what;
	f->armed = false;
	for (r = TAILQ_FIRST(&f->queue); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!refill_is_due(r))
			continue;
		r->held = false;
		relay_wait(r, f->full);
	}
	if (!TAILQ_EMPTY(&f->queue))
		refill_arm(f);
}

/* As in doubt.c, this is the time for memory to be short. */
int
refill_open(struct refill *f, struct event_base *base,
    struct relay_queue *full)
{
	TAILQ_INIT(&f->queue);
	f->full = full;
	event_assign(&f->timer, base, -1, 0, refill_timer, f);
	refill_arm(f);
	if (!f->armed)
		return -ENOMEM;
	event_del(&f->timer);
	f->armed = false;
	return 0;
}

void
refill_close(struct refill *f)
{
	if (event_initialized(&f->timer))
		event_del(&f->timer);
}

void
refill_add(struct refill *f, struct relay *r)
{
	relay_wait(r, &f->queue);
	if (!f->armed)
		refill_arm(f);
}
