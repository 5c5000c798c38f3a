#include "eject.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/log.h"
#include "servers.h"

#define DOUBLINGS 4 /* then it grows no more */

bool
eject_may(size_t all, size_t ejected, size_t up, uint64_t percent)
{
	return up > 1 && (ejected + 1) * 100 <= percent * all;
}

uint64_t
eject_length(uint64_t eject_time, unsigned times)
{
	return eject_time << (times > DOUBLINGS ? DOUBLINGS : times - 1);
}

static void
eject_timer_event(evutil_socket_t fd, short what, void *arg)
{
	char cause[SERVERS_CAUSE], length[HUMAN_TEXT];
	struct server *s = arg;

	(void)fd, (void)what;
	snprintf(cause, sizeof(cause), "%s are over (eject_time)",
	    human_duration(s->eject.length, length));
	servers_change(s, 0, SERVER_EJECTED, cause);
}

void
eject_over(struct server *s)
{
	event_del(&s->eject.timer);
	s->eject.ended = clock_ms();
	atomic_store_explicit(&s->state->row, 0, memory_order_relaxed);
}

void
eject_begin(struct server *s, struct event_base *base)
{
	event_assign(&s->eject.timer, base, -1, 0, eject_timer_event, s);
}

void
eject_end(struct server *s)
{
	event_del(&s->eject.timer);
}

/* Who stayed in for as long as he had been out begins anew. */
static void
eject_again(struct server *s)
{
	struct eject *e = &s->eject;

	if (e->ended != 0 && clock_ms() - e->ended > e->length)
		e->times = 0;
	e->times++;
	e->count++;
	e->length = eject_length(s->upstream->eject_time, e->times);
}

static void
eject_do(struct server *s, uint64_t row)
{
	char cause[SERVERS_CAUSE], length[HUMAN_TEXT], why[64];
	const char *text = strerrordesc_np(-atomic_load_explicit(
	    &s->state->last_error, memory_order_relaxed));
	struct timeval tv;

	eject_again(s);
	tv = (struct timeval){ .tv_sec = (time_t)(s->eject.length / 1000),
		.tv_usec = (suseconds_t)(s->eject.length % 1000 * 1000) };
	if (event_add(&s->eject.timer, &tv) < 0)
		return; /* without an end there is no beginning */
	snprintf(why, sizeof(why), "%s", text != NULL ? text : "unknown error");
	why[0] = (char)tolower((unsigned char)why[0]);
	snprintf(cause, sizeof(cause), "%llu connects failed in a row "
	    "(eject_after), the last: %s; for %s", (unsigned long long)row,
	    why, human_duration(s->eject.length, length));
	servers_change(s, SERVER_EJECTED, 0, cause);
}

static size_t
eject_count(const struct servers *servers, size_t upstream)
{
	struct server *s = NULL;
	size_t count = 0;

	while ((s = servers_next(servers, upstream, s)) != NULL)
		count += (s->state->out & SERVER_EJECTED) != 0;
	return count;
}

static uint64_t
eject_row(const struct server *s)
{
	return atomic_load_explicit(&s->state->row, memory_order_relaxed);
}

static bool
eject_is_due(const struct server *s)
{
	return s->upstream->eject_after != 0 &&
	    eject_row(s) >= s->upstream->eject_after &&
	    server_state_usable(s->state);
}

const char *
eject_held(const struct server *s)
{
	return eject_is_due(s) ? s->eject.held : NULL;
}

/* Told once, until it serves somebody or goes; with the same words each time,
 * so that the log counts what comes again soon. */
static void
eject_hold(struct server *s, const char *why)
{
	char name[SERVERS_NAME];

	if (s->eject.held == NULL)
		log_warn(0, "upstream %s: server %s is not ejected after %ju "
		    "failed connects in a row (eject_after): %s",
		    s->upstream->name, servers_name(s, name),
		    (uintmax_t)s->upstream->eject_after, why);
	s->eject.held = why;
}

static void
eject_consider(struct servers *servers, struct server *s)
{
	const struct upstream_conf *conf = s->upstream;
	size_t all, up;

	if (!eject_is_due(s)) {
		s->eject.held = NULL;
		return;
	}
	up = servers_up(servers, conf->index, &all);
	if (eject_may(all, eject_count(servers, conf->index), up,
	    conf->eject_max_percent)) {
		s->eject.held = NULL;
		eject_do(s, eject_row(s));
		return;
	}
	eject_hold(s, up <= 1 ? "it is the last that is up" :
	    "as many are out as may be (eject_max_percent)");
}

void
eject_look(struct servers *servers)
{
	for (size_t i = 0; i < servers_places(servers); i++) {
		struct server *s = NULL;

		while ((s = servers_next(servers, i, s)) != NULL)
			eject_consider(servers, s);
	}
}
