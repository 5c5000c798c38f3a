/* The status page, for people. */
#include "admin-internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/units.h"

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<title>Sluice</title><style>"
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;"
    "margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;"
    "border-bottom:1px solid #8884}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "</style></head><body>\n<h1>Sluice</h1>\n";

/* Names are plain, but nobody has to remember what else is. */
static void
page_add_text(struct evbuffer *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("<>&\"'", *text) != NULL)
			evbuffer_add_printf(out, "&#%d;", *text);
		else
			evbuffer_add(out, text, 1);
	}
}

static void
page_add_summary(const struct admin_view *view, struct evbuffer *out)
{
	char up[UNITS_TEXT];

	evbuffer_add_printf(out, "<p>Running for %s with %zu workers, %llu "
	    "sessions now.</p>\n",
	    duration_text((clock_ms() - view->started_ms) / 1000 * 1000, up),
	    crew_size(view->crew),
	    (unsigned long long)crew_sessions(view->crew));
}

static void
page_add_listeners(const struct admin_view *view, struct evbuffer *out)
{
	const struct shared *shared = crew_shared(view->crew);

	evbuffer_add_printf(out, "<h2>Listeners</h2>\n<table><tr><th>name"
	    "<th>bind<th>upstream<th class=n>sessions</tr>\n");
	for (size_t i = 0; i < view->config->nlisteners; i++) {
		const struct listener_conf *l = &view->config->listeners[i];

		evbuffer_add_printf(out, "<tr><td>%s<td>", l->name);
		for (size_t n = 0; n < l->nbinds; n++) {
			evbuffer_add_printf(out, n > 0 ? ", " : "");
			page_add_text(out, l->binds[n].text);
		}
		evbuffer_add_printf(out, "<td>%s<td class=n>%llu</tr>\n",
		    l->upstream->name, (unsigned long long)
		    atomic_load_explicit(&shared->listeners[i].used,
		    memory_order_relaxed));
	}
	evbuffer_add_printf(out, "</table>\n");
}

static void
page_add_server(struct evbuffer *out, const char *upstream,
    const struct endpoint *e)
{
	const struct server_state *s = e->server;

	evbuffer_add_printf(out, "<tr><td>%s<td>", upstream);
	page_add_text(out, s->text);
	evbuffer_add_printf(out, "<td>%llu%s<td class=n>%llu<td class=n>%llu"
	    "<td class=n>%llu</tr>\n", (unsigned long long)e->weight,
	    e->backup ? " backup" : "", (unsigned long long)s->sessions,
	    (unsigned long long)s->connects, (unsigned long long)s->failures);
}

static void
page_add_upstreams(const struct admin_view *view, struct evbuffer *out)
{
	evbuffer_add_printf(out, "<h2>Servers</h2>\n<table><tr><th>upstream"
	    "<th>address<th>weight<th class=n>sessions<th class=n>connects"
	    "<th class=n>failures</tr>\n");
	for (size_t i = 0; i < view->config->nupstreams; i++) {
		const char *name = view->config->upstreams[i].name;
		const struct endpoint_set *set;

		set = resolver_endpoints(view->resolver, i);
		if (set == NULL || set->count == 0)
			evbuffer_add_printf(out, "<tr><td>%s<td colspan=5>"
			    "no address yet</tr>\n", name);
		for (size_t n = 0; set != NULL && n < set->count; n++)
			page_add_server(out, name, &set->endpoints[n]);
	}
	evbuffer_add_printf(out, "</table>\n");
}

static void
page_add_workers(const struct admin_view *view, struct evbuffer *out)
{
	evbuffer_add_printf(out, "<h2>Workers</h2>\n<table><tr><th>worker"
	    "<th class=n>sessions<th class=n>begun<th class=n>handed over"
	    "<th class=n>bytes to upstream<th class=n>bytes to client</tr>\n");
	for (size_t i = 0; i < crew_size(view->crew); i++) {
		const struct worker *w = crew_worker(view->crew, i);
		struct listener_stats s;

		crew_sum_worker(view->crew, i, &s);
		evbuffer_add_printf(out, "<tr><td>%zu<td class=n>%llu"
		    "<td class=n>%llu<td class=n>%llu<td class=n>%llu"
		    "<td class=n>%llu</tr>\n", i,
		    (unsigned long long)worker_sessions(w),
		    (unsigned long long)counter_get(&s.begun),
		    (unsigned long long)counter_get(&s.handed_over),
		    (unsigned long long)counter_get(&s.bytes_to_upstream),
		    (unsigned long long)counter_get(&s.bytes_to_client));
	}
	evbuffer_add_printf(out, "</table>\n");
}

void
page_status(struct admin_request *req)
{
	const struct admin_view *view = admin_view(req);
	struct evbuffer *out = admin_body(req);

	evbuffer_add(out, page_head, sizeof(page_head) - 1);
	page_add_summary(view, out);
	page_add_listeners(view, out);
	page_add_upstreams(view, out);
	page_add_workers(view, out);
	evbuffer_add_printf(out, "</body></html>\n");
	admin_reply(req, ADMIN_HTML);
}

/* That we get here says it all: the loop turns. */
void
page_healthz(struct admin_request *req)
{
	evbuffer_add_printf(admin_body(req), "ok\n");
	admin_reply(req, ADMIN_TEXT);
}
