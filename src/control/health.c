#include "health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "check.h"
#include "servers.h"
#include "verdict.h"

#define SPREAD_MS 1000 /* over which first checks are made */

struct watch {
	struct server	  *server;
	struct event_base *base;
	struct event	   timer; /* the next check */
	struct check	   check;
	struct verdict	   verdict;
	uint64_t	   began_us; /* the check */
	uint64_t	   checks, failures, took_us;
	char		   why[CHECK_WHY];
};

static struct watch *
watch_of(struct check *check)
{
	return (struct watch *)((char *)check - offsetof(struct watch, check));
}

static void
watch_wait(struct watch *w, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (event_add(&w->timer, &tv) < 0)
		log_error(-ENOMEM, "upstream %s: server %s is not checked any "
		    "more", w->server->upstream->name, w->server->line->name);
}

/* Another port than that of the server's name. */
static uint64_t
watch_port(const struct watch *w)
{
	return w->server->state->addr.sa.sa_family == AF_UNIX ? 0 :
	    w->server->upstream->check_port;
}

/* "connection refused (check tcp on port 8008, 3 in a row)". */
static void
watch_change(struct watch *w, bool good)
{
	const struct upstream_conf *conf = w->server->upstream;
	uint64_t row = good ? conf->check_rise : conf->check_fall;
	char cause[SERVERS_CAUSE], times[32] = "", port[20] = "";

	if (w->checks > 1 && row > 1)
		snprintf(times, sizeof(times), ", %llu in a row",
		    (unsigned long long)row);
	if (watch_port(w) != 0)
		snprintf(port, sizeof(port), " on port %u",
		    (unsigned)(uint16_t)watch_port(w));
	snprintf(cause, sizeof(cause), "%s (check %s%s%s)",
	    good ? "it answers" : w->why, check_word(conf), port, times);
	servers_change(w->server, good ? 0 : SERVER_FAILING,
	    good ? SERVER_FAILING : 0, cause);
}

static void
watch_judge(struct watch *w, bool good)
{
	const struct upstream_conf *conf = w->server->upstream;

	w->checks++;
	if (good) {
		w->took_us = clock_us() - w->began_us;
		w->why[0] = '\0';
	} else {
		w->failures++;
		memcpy(w->why, w->check.why, sizeof(w->why));
	}
	if (verdict_take(&w->verdict, good, conf->check_rise,
	    conf->check_fall))
		watch_change(w, good);
	if (!good && !server_state_usable(w->server->state))
		server_miss(w->server);
}

static void
watch_done(struct check *check, enum check_answer answer)
{
	struct watch *w = watch_of(check);
	uint64_t spent = (clock_us() - w->began_us) / 1000, wait;

	if (answer != CHECK_UNFIT)
		watch_judge(w, answer == CHECK_GOOD);
	wait = verdict_wait(&w->verdict, w->server->upstream->check_interval,
	    (uint64_t)random());
	watch_wait(w, wait > spent ? wait - spent : 0);
}

static void
watch_timer_event(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	(void)fd, (void)what;
	w->began_us = clock_us();
	check_begin(&w->check, w->base, w->server->upstream, w->server->line,
	    &w->server->state->addr, watch_done);
}

int
health_begin(struct server *server, struct event_base *base)
{
	const struct upstream_conf *conf = server->upstream;
	uint64_t spread = conf->check_interval < SPREAD_MS ?
	    conf->check_interval : SPREAD_MS;
	struct watch *w;

	if (conf->check == CHECK_OFF)
		return 0;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	w->server = server;
	w->base = base;
	check_init(&w->check);
	event_assign(&w->timer, base, -1, 0, watch_timer_event, w);
	server->watch = w;
	watch_wait(w, (uint64_t)random() % spread);
	return 0;
}

/* The verdict stands: what is asked, and how often, is new. */
int
health_follow(struct server *server, struct event_base *base)
{
	struct watch *w = server->watch;

	if (w == NULL || server->upstream->check == CHECK_OFF) {
		health_end(server);
		return health_begin(server, base);
	}
	event_del(&w->timer);
	check_end(&w->check);
	check_init(&w->check);
	watch_wait(w, 0);
	return 0;
}

void
health_keep(struct server *server)
{
	if (server->watch != NULL)
		check_obey(&server->watch->check, server->upstream,
		    server->line);
}

void
health_end(struct server *server)
{
	struct watch *w = server->watch;

	if (w == NULL)
		return;
	event_del(&w->timer);
	check_end(&w->check);
	free(w);
	server->watch = NULL;
}

bool
health_get(const struct server *server, struct health *health)
{
	const struct watch *w = server->watch;

	if (w == NULL)
		return false;
	*health = (struct health){ .check = check_word(server->upstream),
		.port = watch_port(w), .checks = w->checks, .failures = w->failures,
		.took_us = w->took_us, .why = w->why };
	return true;
}
