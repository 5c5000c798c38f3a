#include "doubt.h"

#include <errno.h>

static void
doubts_arm(struct doubts *d)
{
	const struct timeval tv = { .tv_usec = DOUBT_MS * 1000 };

	d->armed = event_add(&d->timer, &tv) == 0;
}

/* One that was busy meanwhile has had other edges, none of which would come
 * behind a reset. */
static bool
doubt_is_due(const struct doubts *d, const struct relay *r)
{
	return (uint8_t)(d->now - r->doubted) > 1;
}

static void
doubts_timer(evutil_socket_t fd, short what, void *arg)
{
	struct doubts *d = arg;
	struct relay *r, *next;

	(void)fd, (void)what;
	d->now++;
	d->armed = false;
	for (r = TAILQ_FIRST(&d->queue); r != NULL; r = next) {
		next = TAILQ_NEXT(r, link);
		if (!doubt_is_due(d, r))
			continue;
		conn_ask(r->from);
		relay_wait(r, d->asked);
	}
	if (!TAILQ_EMPTY(&d->queue))
		doubts_arm(d);
}

/* libevent keeps the memory that a timer takes when it is first added: this is
 * the time for it to fail. */
int
doubts_open(struct doubts *d, struct event_base *base,
    struct relay_queue *asked)
{
	TAILQ_INIT(&d->queue);
	d->asked = asked;
	event_assign(&d->timer, base, -1, 0, doubts_timer, d);
	doubts_arm(d);
	if (!d->armed)
		return -ENOMEM;
	event_del(&d->timer);
	d->armed = false;
	return 0;
}

void
doubts_close(struct doubts *d)
{
	if (event_initialized(&d->timer))
		event_del(&d->timer);
}

void
doubts_add(struct doubts *d, struct relay *r)
{
	relay_wait(r, &d->queue);
	if (!d->armed)
		doubts_arm(d);
}
