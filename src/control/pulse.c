#include "pulse.h"

#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "config/places.h"
#include "proxy/closerecord.h"

#define LOOK_MS	 2500
#define WATCH_MS 250 /* while one has not turned since the last look */
#define STUCK_MS 5000
#define LATE_MS	 1000 /* we were kept from looking ourselves */

struct beat {
	uint64_t turns;	 /* at the last look */
	uint64_t seen;	 /* clock_ms(), when there were more than before, or
			    it had ended */
	bool	 silent; /* there were not, this time */
	bool	 stuck;	 /* and it was told */
	uint64_t stalls;
};

struct pulse {
	struct crew		   *crew;
	const struct config *const *config;
	struct event		    timer;
	uint64_t		    due; /* the next look */
	struct beat		    beats[]; /* of each worker */
};

/* --- what is told */

/* "in phase relay of session 5f2a-1-42 (listener pg)" */
static void
activity_text(const struct pulse *p, const struct activity *a, char *text,
    size_t size)
{
	const struct listener_conf *l;
	char id[CLOSERECORD_ID];

	if (a->phase == NULL) {
		snprintf(text, size, "in no session");
		return;
	}
	closerecord_id(a->session, id);
	l = config_listener_at(*p->config, a->listener);
	snprintf(text, size, "in phase %s of session %s%s%s%s", a->phase, id,
	    l != NULL ? " (listener " : "", l != NULL ? l->name : "",
	    l != NULL ? ")" : "");
}

static void
beat_stops(struct pulse *p, size_t i, const struct activity *a, uint64_t now)
{
	struct beat *b = &p->beats[i];
	char text[128], age[UNITS_TEXT];

	b->stuck = true;
	b->stalls++;
	activity_text(p, a, text, sizeof(text));
	log_warn(0, "worker %zu has not turned for %s: %s", i,
	    duration_text((now - b->seen) / 1000 * 1000, age), text);
}

static void
beat_goes_on(struct pulse *p, size_t i, uint64_t now)
{
	struct beat *b = &p->beats[i];

	b->stuck = false;
	log_warn(0, "worker %zu turns again after %.1fs", i,
	    (double)(now - b->seen) / 1000);
}

/* --- looking */

static void
pulse_look_at(struct pulse *p, size_t i, uint64_t now)
{
	struct worker *w = crew_worker(p->crew, i);
	struct beat *b = &p->beats[i];
	struct activity a;

	worker_activity(w, &a);
	b->silent = a.turns == b->turns && a.turns != ACTIVITY_ENDED;
	if (b->silent) {
		if (!b->stuck && now - b->seen >= STUCK_MS)
			beat_stops(p, i, &a, now);
		worker_nudge(w);
		return;
	}
	if (b->stuck)
		beat_goes_on(p, i, now);
	b->turns = a.turns;
	b->seen = now;
}

/* Whoever kept us from looking, as SIGSTOP or a machine that has no time, may
 * have kept the workers from turning. */
static void
pulse_forgive(struct pulse *p, uint64_t now)
{
	for (size_t i = 0; i < crew_size(p->crew); i++)
		if (!p->beats[i].stuck)
			p->beats[i].seen = now;
}

static bool
pulse_look(struct pulse *p)
{
	uint64_t now = clock_ms();
	bool silent = false;

	if (now > p->due + LATE_MS)
		pulse_forgive(p, now);
	for (size_t i = 0; i < crew_size(p->crew); i++) {
		pulse_look_at(p, i, now);
		silent |= p->beats[i].silent;
	}
	return silent;
}

static int
pulse_wait(struct pulse *p, uint64_t ms)
{
	const struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	p->due = clock_ms() + ms;
	return event_add(&p->timer, &tv);
}

static void
pulse_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct pulse *p = arg;

	(void)fd, (void)what;
	pulse_wait(p, pulse_look(p) ? WATCH_MS : LOOK_MS);
}

/* --- what others ask */

bool
pulse_turned_since(struct pulse *p, uint64_t since)
{
	bool all = true;

	pulse_look(p);
	for (size_t i = 0; i < crew_size(p->crew); i++)
		all &= p->beats[i].seen > since;
	return all;
}

void
pulse_tell_last(struct pulse *p, uint64_t ms)
{
	uint64_t now = clock_ms();

	for (size_t i = 0; i < crew_size(p->crew); i++) {
		uint64_t seen = now - p->beats[i].seen;
		char text[128], age[UNITS_TEXT];
		struct activity a;

		worker_activity(crew_worker(p->crew, i), &a);
		if (a.turns == ACTIVITY_ENDED)
			continue;
		activity_text(p, &a, text, sizeof(text));
		log_error(0, "ends without worker %zu, which has not turned for "
		    "%s: %s", i, duration_text((seen > ms ? seen : ms) /
		    1000 * 1000, age), text);
	}
}

uint64_t
pulse_stuck_ms(const struct pulse *p, size_t worker)
{
	const struct beat *b = &p->beats[worker];

	return b->stuck ? clock_ms() - b->seen : 0;
}

uint64_t
pulse_stalls(const struct pulse *p, size_t worker)
{
	return p->beats[worker].stalls;
}

struct pulse *
pulse_new(struct event_base *base, struct crew *crew,
    const struct config *const *config)
{
	struct pulse *p = calloc(1, sizeof(*p) + crew_size(crew) *
	    sizeof(p->beats[0]));

	if (p == NULL)
		return NULL;
	p->crew = crew;
	p->config = config;
	p->due = clock_ms();
	event_assign(&p->timer, base, -1, 0, pulse_timer_event, p);
	pulse_forgive(p, p->due);
	if (pulse_wait(p, LOOK_MS) == 0)
		return p;
	free(p);
	return NULL;
}

void
pulse_free(struct pulse *p)
{
	if (p != NULL)
		event_del(&p->timer);
	free(p);
}
