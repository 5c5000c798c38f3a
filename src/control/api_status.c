/* /api/status: the status for programs; for people on a terminal by
 * status_text.c. */
#include <unistd.h>

#include "base/clock.h"
#include "control/version.h"
#include "name_text.h"
#include "pauses.h"
#include "reload.h"
#include "report.h"
#include "status.h"
#include "status_text.h"

static void
json_known(struct json *j, const char *key, uint64_t value)
{
	if (value > 0)
		json_number(j, key, value);
	else
		json_text(j, key, NULL);
}

/* --- the daemon */

static void
status_begin(struct report *r)
{
	const struct admin_view *view = r->view;
	struct json *j = &r->json;
	struct status status;
	char read[CLOCK_TEXT];

	status_sum(view, &status);
	json_begin(j, NULL, '{');
	json_text(j, "version", version_number());
	json_text(j, "build", version_build());
	json_number(j, "pid", (uint64_t)getpid());
	json_text(j, "state", status_word(view));
	json_text(j, "started", view->started);
	json_number(j, "uptime_ms", clock_ms() - view->started_ms);
	json_text(j, "config", view->path);
	json_text(j, "config_read", clock_text(view->reload->last_wall, read));
	json_text(j, "not_reloaded", view->reload->last_failed ?
	    view->reload->why : NULL);
	json_number(j, "sessions", status.sessions);
	json_number(j, "max_sessions", status.max_sessions);
	json_number(j, "begun", status.begun);
	json_number(j, "ended", status.ended);
	json_number(j, "bytes_to_upstream", status.to_upstream);
	json_number(j, "bytes_to_client", status.to_client);
	json_known(j, "fds", status.fds);
	json_known(j, "max_fds", status.max_fds);
	json_number(j, "log_drops", status.log_drops);
}

static void
array_end(struct report *r)
{
	json_end(&r->json, ']');
}

/* --- listeners */

static void
listeners_begin(struct report *r)
{
	json_begin(&r->json, "listeners", '[');
}

static void
listener_binds(struct json *j, const struct listener_conf *l)
{
	json_begin(j, "binds", '[');
	for (size_t i = 0; i < l->nbinds; i++)
		json_text(j, NULL, l->binds[i].text);
	json_end(j, ']');
}

static bool
listener_row(struct report *r)
{
	const struct listener_conf *l = &r->view->config->listeners[r->i];
	const struct session_limit *limit;
	struct listener_stats sum;
	struct json *j = &r->json;

	if (r->i >= r->view->config->nlisteners)
		return false;
	r->i++;
	limit = &crew_shared(r->view->crew)->listeners[l->index];
	crew_sum_listener(r->view->crew, l->index, &sum);
	json_begin(j, NULL, '{');
	json_text(j, "name", l->name);
	listener_binds(j, l);
	json_text(j, "upstream", l->upstream->name);
	json_number(j, "sessions", atomic_load_explicit(&limit->used,
	    memory_order_relaxed));
	json_known(j, "max_sessions", limit->max);
	json_bool(j, "drained", doors_is_drained(r->view->doors, l->index));
	json_number(j, "begun", counter_get(&sum.begun));
	json_number(j, "ended", listener_stats_ended(&sum));
	json_number(j, "refused", counter_get(&sum.refused));
	json_number(j, "probes", counter_get(&sum.probes));
	json_number(j, "bytes_to_upstream",
	    counter_get(&sum.bytes_to_upstream));
	json_number(j, "bytes_to_client", counter_get(&sum.bytes_to_client));
	json_end(j, '}');
	return true;
}

/* --- upstreams and their servers */

static void
upstreams_begin(struct report *r)
{
	json_begin(&r->json, "upstreams", '[');
}

/* How old the last good answer is, and when it is asked for again. */
static void
name_object(struct json *j, const struct name *name)
{
	uint64_t now = clock_ms();
	char text[ADDR_TEXT];
	struct peer peer;

	json_begin(j, NULL, '{');
	json_text(j, "name", name->host);
	json_text(j, "type", name->kind == DNS_SERVICES ? "srv" : "address");
	json_begin(j, "addresses", '[');
	for (size_t i = 0; i < name->naddrs; i++) {
		peer_from_sockaddr(&peer, &name->addrs[i].sa);
		json_text(j, NULL, peer_ip_text(&peer, text));
	}
	for (size_t i = 0; i < name->nservices; i++)
		json_text(j, NULL, name->services[i].target);
	json_end(j, ']');
	json_known(j, "ttl_ms", name->fresh.ttl);
	if (name->fresh.good_at > 0)
		json_number(j, "age_ms", now - name->fresh.good_at);
	else
		json_text(j, "age_ms", NULL);
	json_number(j, "asked_again_in_ms", freshness_left(&name->fresh, now));
	json_text(j, "state", name_state_text(name_state(name)));
	json_number(j, "for_ms", name_age(name, now));
	json_text(j, "error", name->why);
	json_end(j, '}');
}

static void
upstream_names(struct json *j, const struct names *names)
{
	const struct name *name;

	json_begin(j, "names", '[');
	for (size_t i = 0; (name = names_at(names, i)) != NULL; i++)
		name_object(j, name);
	json_end(j, ']');
}

static void
upstream_waiting(struct report *r, const struct upstream_conf *upstream)
{
	const struct change *pause = pauses_find(r->view->servers, upstream);
	struct json *j = &r->json;
	char at[CLOCK_TEXT];

	json_number(j, "waiting", pauses_waiting(r->view, upstream));
	json_bool(j, "paused", pause != NULL);
	json_text(j, "paused_since", pause == NULL ? NULL :
	    clock_text(pause->at, at));
	json_text(j, "paused_by", pause == NULL ? NULL : pause->who);
}

static void
upstream_begin(struct report *r, const struct status_row *row)
{
	struct upstream_stats sum;
	struct json *j = &r->json;

	crew_sum_upstream(r->view->crew, row->upstream->index, &sum);
	json_begin(j, NULL, '{');
	json_text(j, "name", row->upstream->name);
	json_text(j, "balance", balance_text(row->upstream->balance));
	json_number(j, "attempts", counter_get(&sum.attempts));
	json_number(j, "failures", upstream_stats_failures(&sum));
	json_number(j, "connected", counter_get(&sum.sessions));
	upstream_waiting(r, row->upstream);
	json_text(j, "unresolved", row->set != NULL && row->set->why[0] != '\0' ?
	    row->set->why : NULL);
	upstream_names(j, resolver_names(r->view->resolver,
	    row->upstream->index));
	json_begin(j, "servers", '[');
}

static void
server_object(struct json *j, const struct endpoint *e,
    const struct server *known)
{
	const struct server_state *s = e->server;
	char state[SERVERS_STATE], why[SERVERS_WHY] = "";

	if (known != NULL)
		servers_why(known, why);
	json_begin(j, NULL, '{');
	json_text(j, "address", s->text);
	json_text(j, "name", s->name[0] != '\0' ? s->name : NULL);
	json_text(j, "state", servers_state(s->out, state));
	json_text(j, "cause", why[0] != '\0' ? why : NULL);
	json_number(j, "weight", e->weight);
	json_bool(j, "backup", e->backup);
	json_number(j, "sessions", s->sessions);
	json_number(j, "connects", s->connects);
	json_number(j, "failures", s->failures);
	json_text(j, "last_error", status_last_error(s));
	json_number(j, "bytes_to_upstream", s->bytes_to_upstream);
	json_number(j, "bytes_to_client", s->bytes_to_client);
	json_end(j, '}');
}

static bool
upstream_row(struct report *r)
{
	struct status_row row;

	if (!status_next(r->view, &r->i, &r->n, &row))
		return false;
	if (row.first)
		upstream_begin(r, &row);
	if (row.endpoint != NULL)
		server_object(&r->json, row.endpoint, row.server);
	if (row.last) {
		json_end(&r->json, ']');
		json_end(&r->json, '}');
	}
	return true;
}

/* --- workers */

static void
workers_begin(struct report *r)
{
	json_begin(&r->json, "workers", '[');
}

static bool
worker_row(struct report *r)
{
	struct crew *crew = r->view->crew;
	struct listener_stats sum;
	struct json *j = &r->json;

	if (r->i == crew_size(crew))
		return false;
	crew_sum_worker(crew, r->i, &sum);
	json_begin(j, NULL, '{');
	json_number(j, "sessions", worker_sessions(crew_worker(crew, r->i)));
	json_number(j, "begun", counter_get(&sum.begun));
	json_number(j, "handed_over", counter_get(&sum.handed_over));
	json_number(j, "bytes_to_upstream",
	    counter_get(&sum.bytes_to_upstream));
	json_number(j, "bytes_to_client", counter_get(&sum.bytes_to_client));
	json_end(j, '}');
	r->i++;
	return true;
}

static void
status_end(struct report *r)
{
	json_end(&r->json, ']');
	drains_json(r->view->drains, &r->json);
	json_end(&r->json, '}');
	evbuffer_add(r->out, "\n", 1);
}

static const struct report_part STATUS[] = {
	{ status_begin, NULL, NULL },
	{ listeners_begin, listener_row, array_end },
	{ upstreams_begin, upstream_row, array_end },
	{ workers_begin, worker_row, status_end },
};

void
api_status(struct admin_request *req)
{
	if (admin_wants_text(req))
		report_send(req, ADMIN_TEXT, STATUS_TEXT, STATUS_TEXT_COUNT);
	else
		report_send(req, ADMIN_JSON, STATUS,
		    sizeof(STATUS) / sizeof(STATUS[0]));
}

/* That we get here says it all: the loop turns. */
void
api_healthz(struct admin_request *req)
{
	evbuffer_add_printf(admin_body(req), "ok\n");
	admin_reply(req, ADMIN_TEXT);
}

void
api_readyz(struct admin_request *req)
{
	const struct admin_view *view = admin_view(req);

	if (!status_ready(view)) {
		evbuffer_add_printf(admin_body(req), "%s\n",
		    status_word(view));
		admin_reply_as(req, 503, ADMIN_TEXT);
		return;
	}
	evbuffer_add_printf(admin_body(req), "ready\n");
	admin_reply(req, ADMIN_TEXT);
}
