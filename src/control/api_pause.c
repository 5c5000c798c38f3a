/* Upstreams that operators pause: who comes waits, in its wait list, until they
 * go on.  Sessions that have a server keep it. */
#include <stdio.h>
#include <string.h>

#include "admin-internal.h"
#include "base/log.h"
#include "json.h"
#include "proxy/waitlist.h"
#include "servers.h"

static const struct upstream_conf *
pause_find(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nupstreams; i++)
		if (strcmp(config->upstreams[i].name, name) == 0)
			return &config->upstreams[i];
	return NULL;
}

/* The one that is named, or the only one; NULL: that was replied. */
static const struct upstream_conf *
pause_upstream(struct admin_request *req)
{
	const struct config *config = admin_view(req)->config;
	const char *name = admin_query(req, "upstream");
	const struct upstream_conf *found;

	if (name == NULL && config->nupstreams == 1)
		return &config->upstreams[0];
	if (name == NULL) {
		admin_fail(req, 400, "say upstream=: there are %zu",
		    config->nupstreams);
		return NULL;
	}
	found = pause_find(config, name);
	if (found == NULL)
		admin_fail(req, 404, "there is no upstream '%s'", name);
	return found;
}

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

static void
pause_reply(struct admin_request *req, const struct upstream_conf *upstream,
    bool paused, uint64_t waiting)
{
	uint64_t sessions = pause_sessions(admin_view(req)->servers,
	    upstream->index);
	struct json json = { .out = admin_body(req) };

	if (admin_wants_text(req)) {
		evbuffer_add_printf(json.out, "%s %s: %ju with a server, %ju "
		    "waiting\n", upstream->name, paused ? "is paused" :
		    "goes on", (uintmax_t)sessions, (uintmax_t)waiting);
		admin_reply(req, ADMIN_TEXT);
		return;
	}
	json_begin(&json, NULL, '{');
	json_text(&json, "upstream", upstream->name);
	json_bool(&json, "paused", paused);
	json_number(&json, "sessions", sessions);
	json_number(&json, "waiting", waiting);
	json_end(&json, '}');
	evbuffer_add(json.out, "\n", 1);
	admin_reply(req, ADMIN_JSON);
}

static void
pause_set(struct admin_request *req, bool pause)
{
	const struct upstream_conf *upstream = pause_upstream(req);
	struct waitlist *list;
	char who[ADMIN_WHO];
	uint64_t waiting;

	if (upstream == NULL)
		return;
	list = &crew_shared(admin_view(req)->crew)->waits[upstream->index];
	waiting = waitlist_length(list); /* before they go on */
	admin_who(req, who);
	if (waitlist_is_paused(list) != pause)
		log_info("upstream %s: %s by %s, %ju sessions wait",
		    upstream->name, pause ? "paused" : "goes on", who,
		    (uintmax_t)waiting);
	waitlist_pause(list, pause);
	pause_reply(req, upstream, pause, waiting);
}

void
api_pause(struct admin_request *req)
{
	pause_set(req, true);
}

void
api_resume(struct admin_request *req)
{
	pause_set(req, false);
}
