#include "stop.h"

#include <stdio.h>

#include "base/log.h"
#include "notify.h"

static void
stop_say(const struct stop *stop, const char *how)
{
	uint64_t sessions = crew_sessions(stop->crew);
	char text[64];

	snprintf(text, sizeof(text), "%s, %llu session%s", how,
	    (unsigned long long)sessions, sessions == 1 ? "" : "s");
	log_info("%s", text);
	notify_status(text);
}

static void
stop_kill(struct stop *stop, const struct ending *ending)
{
	stop_say(stop, "stopping now");
	stop->stage = STOP_KILLED;
	crew_kill(stop->crew, ending);
}

static void
stop_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct stop *stop = arg;

	(void)fd, (void)what;
	if (stop->stage == STOP_DRAINING)
		stop_kill(stop, &stop->overdue);
}

void
stop_init(struct stop *stop, struct event_base *base, struct crew *crew,
    struct ports *ports)
{
	*stop = (struct stop){ .crew = crew, .ports = ports,
		.stage = STOP_RUNNING };
	event_assign(&stop->timer, base, -1, 0, stop_timer_event, stop);
}

void
stop_gently(struct stop *stop, uint64_t limit_ms, const char *rule)
{
	const struct timeval tv = { .tv_sec = (time_t)(limit_ms / 1000),
		.tv_usec = (suseconds_t)(limit_ms % 1000 * 1000) };

	if (stop->stage != STOP_RUNNING)
		return;
	notify_stopping();
	stop_say(stop, stop->goes_on ? "draining, for another to go on" :
	    "draining");
	stop->stage = STOP_DRAINING;
	stop->overdue = (struct ending){ .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = rule != NULL ? "drained for" : "interrupted, drained for",
		.rule = rule, .of_global = true, .limit_ms = limit_ms };
	if (!stop->goes_on)
		ports_forget(stop->ports);
	crew_drain(stop->crew, stop->goes_on);
	if (limit_ms > 0 && event_add(&stop->timer, &tv) < 0)
		stop_kill(stop, &stop->overdue);
}

void
stop_for_next(struct stop *stop, uint64_t limit_ms, const char *rule)
{
	stop->goes_on |= stop->stage == STOP_RUNNING;
	stop_gently(stop, limit_ms, rule);
}

void
stop_now(struct stop *stop)
{
	const struct ending at_once = { .by = BY_PROXY, .how = HOW_DRAIN,
		.cause = "told to stop at once" };

	if (stop->stage != STOP_KILLED)
		stop_kill(stop, &at_once);
}
