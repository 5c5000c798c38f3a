#include "gate.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "session.h"

#define CROWD_US  2000 /* in which small messages are forgotten */
#define CROWD_MIN .1   /* of a message: nobody */
#define TOOK_MOST 200  /* us; a pre-empted thread must not pay for it */

/* Edge-triggered and never read: setting it again is enough. */
static void
gate_timer(evutil_socket_t fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd, (void)what;
	g->shut = false;
}

int
gate_open(struct gate *g, struct event_base *base)
{
	TAILQ_INIT(&g->queue);
	g->timer_fd = timerfd_create(CLOCK_MONOTONIC,
	    TFD_NONBLOCK | TFD_CLOEXEC);
	if (g->timer_fd < 0)
		return -errno;
	event_assign(&g->timer, base, g->timer_fd,
	    EV_READ | EV_ET | EV_PERSIST, gate_timer, g);
	return event_add(&g->timer, NULL) < 0 ? -ENOMEM : 0;
}

void
gate_close(struct gate *g)
{
	if (!event_initialized(&g->timer))
		return;
	event_del(&g->timer);
	close(g->timer_fd);
}

bool
gate_lets(struct gate *g, const struct relay *r)
{
	if (r->bulk)
		return g->turn == r;
	g->small += relay_runnable(r);
	return true;
}

bool
gate_ready(const struct gate *g)
{
	return !g->shut && !TAILQ_EMPTY(&g->queue);
}

static void
gate_shut(struct gate *g, uint64_t us)
{
	const struct itimerspec when = {
		.it_value.tv_nsec = (long)us * 1000 };

	g->shut = us > 0 && timerfd_settime(g->timer_fd, 0, &when, NULL) == 0;
}

static void
gate_turn(struct gate *g)
{
	struct relay *r = TAILQ_FIRST(&g->queue);

	relay_wait(r, NULL);
	g->turn = r;
	session_advance(r->session);
	g->turn = NULL;
}

/* How many small messages there were in the last CROWD_US, about: those of
 * before leak away. */
static void
gate_count(struct gate *g, uint64_t now)
{
	double passed = (double)(now - g->counted_at) / (double)CROWD_US;

	if (passed < 1)
		g->crowd = g->crowd * (1 - passed) + (double)g->small;
	else
		g->crowd = (double)g->small / passed;
	g->small = 0;
	g->counted_at = now;
}

void
gate_run(struct gate *g, unsigned share)
{
	uint64_t now, took;

	if (!gate_ready(g))
		return;
	now = clock_us();
	gate_count(g, now);
	gate_turn(g);
	if (g->crowd <= CROWD_MIN || share >= 100)
		return;
	took = clock_us() - now;
	if (took > TOOK_MOST)
		took = TOOK_MOST;
	gate_shut(g, took * (100 - share) / share);
}
