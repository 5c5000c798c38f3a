#include "stop.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "drain.h"
#include "elders.h"
#include "notify.h"

#define WATCH_MS   500
#define GIVE_UP_MS 5000 /* as pulse.c says that one hangs */

static void
stop_say(const struct stop *stop, const char *how)
{
	uint64_t sessions = crew_sessions(stop->crew);
	char text[64 + VISIT_WHO];

	snprintf(text, sizeof(text), "%s, %llu session%s%s%s", how,
	    (unsigned long long)sessions, sessions == 1 ? "" : "s",
	    stop->who[0] != '\0' ? ", " : "", stop->who);
	log_info("%s", text);
	notify_status(text);
}

void
stop_tell(struct stop *stop)
{
	if (!stop->told)
		notify_stopping();
	stop->told = true;
}

static int
stop_wait(struct stop *stop, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	return event_add(&stop->timer, &tv);
}

/* Workers end as soon as they turn; with many sessions that takes a while. */
static void
stop_watch(struct stop *stop)
{
	uint64_t now = clock_ms(), progress = crew_progress(stop->crew);

	if (progress != stop->progress)
		stop->since = now;
	stop->progress = progress;
	stop->gave_up = now - stop->since >= GIVE_UP_MS;
	if (stop->gave_up)
		event_base_loopbreak(stop->base);
	else if (stop_wait(stop, WATCH_MS) < 0)
		log_error(-ENOMEM, "who hangs is waited for");
}

static void
stop_kill(struct stop *stop, const struct ending *ending)
{
	stop_tell(stop);
	stop_say(stop, "stopping now");
	stop->stage = STOP_KILLED;
	stop_done(stop);
	crew_kill(stop->crew, ending);
	stop->since = clock_ms();
	stop_watch(stop);
}

static void
stop_after(struct stop *stop, uint64_t ms)
{
	if (stop_wait(stop, ms) < 0)
		stop_kill(stop, &stop->overdue);
}

static void
stop_accept_no_more(struct stop *stop)
{
	uint64_t now = clock_ms();

	elders_end(stop->elders);
	stop->elders = NULL;
	stop_say(stop, stop->goes_on ? "draining, for another to go on" :
	    "draining");
	stop->stage = STOP_DRAINING;
	if (!stop->goes_on)
		ports_forget(stop->ports);
	crew_drain(stop->crew, stop->goes_on);
	if (stop->until != 0)
		stop_after(stop, stop->until > now ? stop->until - now : 0);
}

static void
stop_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct stop *stop = arg;

	(void)fd, (void)what;
	if (stop->stage == STOP_SERVING)
		stop_accept_no_more(stop);
	else if (stop->stage == STOP_DRAINING)
		stop_kill(stop, &stop->overdue);
	else if (stop->stage == STOP_KILLED)
		stop_watch(stop);
}

static void
stop_elders_gone(void *arg)
{
	stop_accept_no_more(arg);
}

/* False: there is no telling how long to serve. */
static bool
stop_serve_on(struct stop *stop, const struct stop_order *order)
{
	if (!order->goes_on || stop->tours == NULL)
		return false;
	stop->elders = elders_begin(stop->base, stop->tours, stop_elders_gone,
	    stop);
	if (stop->elders == NULL)
		return false;
	stop_say(stop, "draining, who comes is served");
	stop->stage = STOP_SERVING;
	if (order->limit_ms > 0)
		stop_after(stop, order->limit_ms - order->limit_ms / 10);
	return true;
}

void
stop_init(struct stop *stop, struct event_base *base, struct crew *crew,
    struct ports *ports)
{
	*stop = (struct stop){ .base = base, .crew = crew, .ports = ports,
		.stage = STOP_RUNNING };
	event_assign(&stop->timer, base, -1, 0, stop_timer_event, stop);
}

void
stop_set_tours(struct stop *stop, struct tours *tours)
{
	stop->tours = tours;
}

void
stop_done(struct stop *stop)
{
	elders_end(stop->elders);
	stop->elders = NULL;
	drain_end(stop->drain);
	stop->drain = NULL;
}

static uint64_t
stop_left(void *arg)
{
	const struct stop *stop = arg;

	return crew_sessions(stop->crew);
}

/* The workers notice it themselves. */
static void
stop_over(void *arg)
{
	(void)arg;
}

/* Without it they leave all at once, in the end.  Who came while others were
 * waited for may have the little time that it takes. */
static void
stop_drain(struct stop *stop, const struct stop_order *order)
{
	struct drain_order o = { .ending = stop->overdue, .rate = stop->rate,
		.deadline = order->limit_ms > 0 ? order->limit_ms : PACE_NEVER,
		.left = stop_left, .over = stop_over, .owner = stop };

	if (stop->tours == NULL ||
	    (order->limit_ms == 0 && stop->rate.count == 0))
		return;
	if (order->goes_on)
		o.filter.min_age_ms = ELDERS_MS;
	memcpy(o.who, stop->who, sizeof(o.who));
	stop->drain = drain_begin(stop->base, stop->tours, &o);
}

static void
stop_set_ending(struct stop *stop, const struct stop_order *order)
{
	stop->overdue = (struct ending){ .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = order->who != NULL ? "the daemon is drained" :
		    order->rule != NULL ? "drained for" :
		    "interrupted, drained for",
		.rule = order->rule, .of_global = true,
		.limit_ms = order->who != NULL ? 0 : order->limit_ms };
	stop->who[0] = '\0';
	if (order->who == NULL)
		return;
	snprintf(stop->who, sizeof(stop->who), "by %s", order->who);
	stop->overdue.detail = stop->who;
}

/* A manager that hears of the end counts the time until it comes: an operator
 * says himself how much there is. */
void
stop_gently(struct stop *stop, const struct stop_order *order)
{
	if (stop->stage != STOP_RUNNING)
		return;
	if (order->by_manager)
		stop_tell(stop);
	stop->asked = order->who == NULL;
	stop->rate = order->rate;
	stop_set_ending(stop, order);
	stop->goes_on = order->goes_on;
	if (order->limit_ms > 0)
		stop->until = clock_ms() + order->limit_ms;
	if (!stop_serve_on(stop, order))
		stop_accept_no_more(stop);
	if (stop->stage != STOP_KILLED)
		stop_drain(stop, order);
}

static void
stop_sooner(struct stop *stop, const struct stop_order *order)
{
	stop->asked = true;
	if (order->by_manager)
		stop_tell(stop);
	if (order->limit_ms == 0 || (stop->until != 0 &&
	    clock_ms() + order->limit_ms >= stop->until))
		return;
	stop_set_ending(stop, order);
	stop_say(stop, "draining");
	stop->until = clock_ms() + order->limit_ms;
	stop_done(stop);
	stop_drain(stop, order);
	stop_after(stop, order->limit_ms);
}

void
stop_ask(struct stop *stop, const struct stop_order *order)
{
	if (stop->stage == STOP_RUNNING)
		stop_gently(stop, order);
	else if (stop->stage == STOP_DRAINING && !stop->asked)
		stop_sooner(stop, order);
	else
		stop_now(stop);
}

void
stop_now(struct stop *stop)
{
	const struct ending at_once = { .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = "told to stop at once" };

	if (stop->stage != STOP_KILLED)
		stop_kill(stop, &at_once);
}
