#include "watchdog.h"

#include <errno.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "notify.h"
#include "pulse.h"

/* Who is idle turns for every second look only, and half of the time is when
 * systemd wants to hear of us (sd_watchdog_enabled(3)). */
#define LOOKS 4

/* In microseconds; 0: nobody listens, or to another process. */
static uint64_t
watchdog_period(void)
{
	uint64_t usec, pid;

	if (!env_number("WATCHDOG_USEC", &usec))
		return 0;
	if (env_number("WATCHDOG_PID", &pid) && pid != (uint64_t)getpid())
		return 0;
	return usec;
}

static void
watchdog_event(evutil_socket_t fd, short what, void *arg)
{
	struct watchdog *w = arg;

	(void)fd, (void)what;
	if (!pulse_turned_since(w->pulse, w->since))
		return;
	notify_alive();
	w->since = clock_ms();
}

int
watchdog_start(struct watchdog *w, struct event_base *base,
    struct pulse *pulse)
{
	uint64_t look = watchdog_period() / LOOKS;
	const struct timeval tv = { .tv_sec = (time_t)(look / 1000000),
		.tv_usec = (suseconds_t)(look % 1000000) };

	if (look == 0)
		return 0;
	w->pulse = pulse;
	w->since = clock_ms();
	event_assign(&w->timer, base, -1, EV_PERSIST, watchdog_event, w);
	return event_add(&w->timer, &tv) < 0 ? -ENOMEM : 0;
}
