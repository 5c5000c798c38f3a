/* The pages of the admin server. */
#include "admin-internal.h"

#include "json.h"

static void routes_list(struct admin_request *);

const struct admin_route ADMIN_ROUTES[] = {
	{ ADMIN_GET, "/", page_status, "status, for people" },
	{ ADMIN_GET, "/healthz", api_healthz, "ok: the process turns" },
	{ ADMIN_GET, "/readyz", api_readyz,
	    "ready for clients; 503 and why when not" },
	{ ADMIN_GET, "/metrics", api_metrics, "counters, for Prometheus" },
	{ ADMIN_GET, "/api", routes_list, "this list" },
	{ ADMIN_GET, "/api/status", api_status,
	    "listeners, upstreams, servers, workers; format=text" },
	{ ADMIN_GET, "/api/sessions", api_sessions, "every session; listener=, "
	    "upstream=, server=, client=, min_age=, id= choose, limit= and "
	    "after= page" },
	{ ADMIN_POST, "/api/sessions/kill", api_kill, "ends the sessions that "
	    "the same parameters choose" },
	{ ADMIN_GET, "/api/servers", api_servers, "whether each server is up, "
	    "why not, and what was changed by hand; format=text" },
	{ ADMIN_POST, "/api/servers/...", api_server, "/api/servers/UPSTREAM/"
	    "SERVER: state= (up, down, drain), weight=" },
	{ ADMIN_POST, "/api/drain", api_drain, "listener=, upstream=, server= "
	    "(UPSTREAM/SERVER) or, with none of them, the daemon takes nobody "
	    "new; rate=, deadline= for who is there; cancel= undoes it" },
	{ ADMIN_POST, "/api/pause", api_pause, "new sessions of upstream= "
	    "wait" },
	{ ADMIN_POST, "/api/resume", api_resume, "and go on" },
	{ ADMIN_POST, "/api/reload", api_reload, "reads the configuration anew; "
	    "dry_run= tells what would change; format=text" },
	{ ADMIN_GET, "/api/events", api_events, "what is logged, as it "
	    "happens, line by line" },
};

const size_t ADMIN_ROUTE_COUNT = sizeof(ADMIN_ROUTES) / sizeof(ADMIN_ROUTES[0]);

static void
routes_list_json(struct evbuffer *out)
{
	struct json json = { .out = out };

	json_begin(&json, NULL, '[');
	for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++) {
		const struct admin_route *r = &ADMIN_ROUTES[i];

		json_begin(&json, NULL, '{');
		json_text(&json, "method",
		    r->method == ADMIN_GET ? "GET" : "POST");
		json_text(&json, "path", r->path);
		json_text(&json, "about", r->doc);
		json_end(&json, '}');
	}
	json_end(&json, ']');
	evbuffer_add(out, "\n", 1);
}

static void
routes_list(struct admin_request *req)
{
	routes_list_json(admin_body(req));
	admin_reply(req, ADMIN_JSON);
}
