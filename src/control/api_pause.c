/* Upstreams that operators pause: who comes waits, in its wait list, until they
 * go on.  Sessions that have a server keep it. */
#include <stdio.h>

#include "admin-internal.h"
#include "base/human.h"
#include "base/log.h"
#include "json.h"
#include "pauses.h"
#include "proxy/waitlist.h"

/* Of addresses in use. */
static uint64_t
pause_sessions(const struct servers *servers, size_t upstream)
{
	const struct server *s = NULL;
	uint64_t sum = 0;

	while ((s = servers_next(servers, upstream, s)) != NULL)
		sum += atomic_load_explicit(&s->state->taken,
		    memory_order_relaxed);
	return sum;
}

/* So many that wait now, or in all since so many had waited. */
struct pausing {
	const struct upstream_conf *upstream;
	uint64_t		    waiting, waited, ms;
};

static void
pause_reply(struct admin_request *req, const struct pausing *p, bool paused,
    const char *text)
{
	struct json json = { .out = admin_body(req) };

	if (admin_wants_text(req)) {
		evbuffer_add_printf(json.out, "%s\n", text);
		admin_reply(req, ADMIN_TEXT);
		return;
	}
	json_begin(&json, NULL, '{');
	json_text(&json, "upstream", p->upstream->name);
	json_bool(&json, "paused", paused);
	json_number(&json, "sessions", pause_sessions(
	    admin_view(req)->servers, p->upstream->index));
	json_number(&json, "waiting", p->waiting);
	if (!paused) {
		json_number(&json, "waited", p->waited);
		json_number(&json, "paused_ms", p->ms);
	}
	json_end(&json, '}');
	evbuffer_add(json.out, "\n", 1);
	admin_reply(req, ADMIN_JSON);
}

static struct waitlist *
pause_list(struct admin_request *req, const struct upstream_conf *upstream)
{
	return &crew_shared(admin_view(req)->crew)->waits[upstream->index];
}

/* Who ever waited for a server of it, and does no more. */
static uint64_t
pause_waited(struct admin_request *req, const struct upstream_conf *upstream,
    uint64_t waiting)
{
	struct upstream_stats sum;
	uint64_t waited;

	crew_sum_upstream(admin_view(req)->crew, upstream->index, &sum);
	waited = counter_get(&sum.waited);
	return waited > waiting ? waited - waiting : 0;
}

void
api_pause(struct admin_request *req)
{
	struct pausing p = { .upstream = admin_upstream(req,
	    admin_query(req, "upstream")) };
	struct servers *servers = admin_view(req)->servers;
	char who[ADMIN_WHO], text[160];
	struct waitlist *list;

	if (p.upstream == NULL)
		return;
	list = pause_list(req, p.upstream);
	p.waiting = waitlist_length(list);
	if (pauses_begin(servers, p.upstream, pause_waited(req, p.upstream,
	    p.waiting), admin_who(req, who)) < 0) {
		admin_fail(req, 500, "out of memory");
		return;
	}
	if (!waitlist_is_paused(list))
		log_info("upstream %s: paused by %s, %ju with a server, %ju "
		    "waiting", p.upstream->name, who, (uintmax_t)
		    pause_sessions(servers, p.upstream->index),
		    (uintmax_t)p.waiting);
	waitlist_pause(list, true);
	snprintf(text, sizeof(text), "%s is paused: %ju with a server, %ju "
	    "waiting", p.upstream->name, (uintmax_t)pause_sessions(servers,
	    p.upstream->index), (uintmax_t)p.waiting);
	pause_reply(req, &p, true, text);
}

/* What it came to: who waits still is let go on. */
static void
pause_end(struct admin_request *req, struct pausing *p,
    const struct change *pause)
{
	uint64_t before = pause_waited(req, p->upstream, p->waiting);

	p->ms = clock_ms() - pause->since;
	p->waited = p->waiting + (before > pause->waited ? before -
	    pause->waited : 0);
	pauses_end(admin_view(req)->servers, p->upstream);
}

void
api_resume(struct admin_request *req)
{
	struct pausing p = { .upstream = admin_upstream(req,
	    admin_query(req, "upstream")) };
	char who[ADMIN_WHO], text[160], age[HUMAN_TEXT];
	const struct change *pause;

	if (p.upstream == NULL)
		return;
	pause = pauses_find(admin_view(req)->servers, p.upstream);
	p.waiting = waitlist_length(pause_list(req, p.upstream));
	snprintf(text, sizeof(text), "%s was not paused", p.upstream->name);
	if (pause != NULL) {
		pause_end(req, &p, pause);
		snprintf(text, sizeof(text), "%s resumed after %s; %ju "
		    "client%s waited, %ju let go on", p.upstream->name,
		    human_duration(p.ms, age), (uintmax_t)p.waited,
		    p.waited == 1 ? "" : "s", (uintmax_t)p.waiting);
		log_info("upstream %s, by %s", text, admin_who(req, who));
		waitlist_pause(pause_list(req, p.upstream), false);
	}
	pause_reply(req, &p, false, text);
}
