#include "admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "config/option.h"
#include "holder.h"
#include "net/sock.h"

#define ADMIN_HEADERS_MAX 8192
#define ADMIN_BODY_MAX	  65536
#define ADMIN_TIMEOUT_S	  10
#define ADMIN_BACKLOG	  64
#define ADMIN_RESUME_MS	  50

struct admin {
	struct evhttp	      *http;
	const struct config   *config;
	struct crew	      *crew;
	const struct resolver *resolver;
	uint64_t	       started;
};

static const char admin_head[] =
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

/* Everything shown comes from the configuration, whose names are plain and
 * whose binds are addresses or paths: only the latter need escaping. */
static void
admin_add_text(struct evbuffer *out, const char *text)
{
	char *escaped = evhttp_htmlescape(text);

	if (escaped != NULL)
		evbuffer_add_printf(out, "%s", escaped);
	free(escaped);
}

static void
admin_add_summary(struct admin *admin, struct evbuffer *out)
{
	char up[UNITS_TEXT];

	evbuffer_add_printf(out, "<p>Running for %s with %zu workers, %llu "
	    "sessions now.</p>\n",
	    duration_text((clock_ms() - admin->started) / 1000 * 1000, up),
	    crew_size(admin->crew),
	    (unsigned long long)crew_sessions(admin->crew));
}

static void
admin_add_listeners(struct admin *admin, struct evbuffer *out)
{
	const struct shared *shared = crew_shared(admin->crew);

	evbuffer_add_printf(out, "<h2>Listeners</h2>\n<table><tr><th>name"
	    "<th>bind<th>upstream<th class=n>sessions</tr>\n");
	for (size_t i = 0; i < admin->config->nlisteners; i++) {
		const struct listener_conf *l = &admin->config->listeners[i];

		evbuffer_add_printf(out, "<tr><td>%s<td>", l->name);
		for (size_t n = 0; n < l->nbinds; n++) {
			evbuffer_add_printf(out, n > 0 ? ", " : "");
			admin_add_text(out, l->binds[n].text);
		}
		evbuffer_add_printf(out, "<td>%s<td class=n>%llu</tr>\n",
		    l->upstream->name, (unsigned long long)
		    atomic_load_explicit(&shared->listeners[i].used,
		    memory_order_relaxed));
	}
	evbuffer_add_printf(out, "</table>\n");
}

static void
admin_add_server(struct evbuffer *out, const char *upstream,
    const struct endpoint *e)
{
	const struct server_state *s = e->server;

	evbuffer_add_printf(out, "<tr><td>%s<td>", upstream);
	admin_add_text(out, s->text);
	evbuffer_add_printf(out, "<td>%llu%s<td class=n>%llu<td class=n>%llu"
	    "<td class=n>%llu</tr>\n", (unsigned long long)e->weight,
	    e->backup ? " backup" : "", (unsigned long long)s->sessions,
	    (unsigned long long)s->connects, (unsigned long long)s->failures);
}

static void
admin_add_upstreams(struct admin *admin, struct evbuffer *out)
{
	evbuffer_add_printf(out, "<h2>Servers</h2>\n<table><tr><th>upstream"
	    "<th>address<th>weight<th class=n>sessions<th class=n>connects"
	    "<th class=n>failures</tr>\n");
	for (size_t i = 0; i < admin->config->nupstreams; i++) {
		const char *name = admin->config->upstreams[i].name;
		const struct endpoint_set *set;

		set = resolver_endpoints(admin->resolver, i);
		if (set == NULL || set->count == 0)
			evbuffer_add_printf(out, "<tr><td>%s<td colspan=5>"
			    "no address yet</tr>\n", name);
		for (size_t n = 0; set != NULL && n < set->count; n++)
			admin_add_server(out, name, &set->endpoints[n]);
	}
	evbuffer_add_printf(out, "</table>\n");
}

static void
admin_add_workers(struct admin *admin, struct evbuffer *out)
{
	evbuffer_add_printf(out, "<h2>Workers</h2>\n<table><tr><th>worker"
	    "<th class=n>sessions<th class=n>begun<th class=n>handed over"
	    "<th class=n>bytes to upstream<th class=n>bytes to client</tr>\n");
	for (size_t i = 0; i < crew_size(admin->crew); i++) {
		const struct worker *w = crew_worker(admin->crew, i);
		struct listener_stats s;

		crew_sum_worker(admin->crew, i, &s);
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

static void
admin_send(struct evhttp_request *req, const char *type, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_send_reply(req, HTTP_OK, "OK", body);
}

static void
admin_status(struct evhttp_request *req, void *arg)
{
	struct admin *admin = arg;
	struct evbuffer *out = evbuffer_new();

	if (out == NULL) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	evbuffer_add(out, admin_head, sizeof(admin_head) - 1);
	admin_add_summary(admin, out);
	admin_add_listeners(admin, out);
	admin_add_upstreams(admin, out);
	admin_add_workers(admin, out);
	evbuffer_add_printf(out, "</body></html>\n");
	admin_send(req, "text/html; charset=utf-8", out);
	evbuffer_free(out);
}

static void
admin_healthz(struct evhttp_request *req, void *arg)
{
	struct evbuffer *out = evbuffer_new();

	(void)arg;
	if (out == NULL) {
		evhttp_send_error(req, HTTP_INTERNAL, NULL);
		return;
	}
	evbuffer_add_printf(out, "ok\n");
	admin_send(req, "text/plain", out);
	evbuffer_free(out);
}

int
admin_bind(const struct config *config)
{
	const struct addr *addr = &config->global.admin_addr;
	const struct sock_tcp tcp = { .nodelay = true };
	const struct sock_listen opts = { .tcp = &tcp,
		.backlog = ADMIN_BACKLOG };
	char holder[HOLDER_TEXT] = "", place[CONFIG_PLACE];
	int fd = sock_listen(addr, &opts);

	if (fd == -EADDRINUSE)
		holder_find(addr, holder);
	if (fd < 0)
		log_error(fd, "%s: admin: cannot serve on %s%s",
		    config_place(config, config_global_origin(config, "admin"),
		    place), config->global.admin, holder);
	return fd;
}

static void
admin_resume_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	evconnlistener_enable(arg);
}

/* Out of descriptors: without a pause the listener would spin. */
static void
admin_accept_error(struct evconnlistener *listener, void *http)
{
	const struct timeval tv = { .tv_usec = ADMIN_RESUME_MS * 1000 };

	(void)http;
	if (event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT,
	    admin_resume_event, listener, &tv) == 0)
		evconnlistener_disable(listener);
}

static int
admin_accept(struct admin *admin, struct event_base *base, int fd)
{
	struct evconnlistener *listener = evconnlistener_new(base, NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);

	if (listener == NULL)
		return -ENOMEM;
	if (evhttp_bind_listener(admin->http, listener) == NULL) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(listener, admin_accept_error);
	return 0;
}

struct admin *
admin_new(struct event_base *base, int fd, const struct config *config,
    struct crew *crew, const struct resolver *resolver)
{
	struct admin *admin = calloc(1, sizeof(*admin));

	if (admin == NULL || (admin->http = evhttp_new(base)) == NULL) {
		free(admin);
		return NULL;
	}
	admin->config = config;
	admin->crew = crew;
	admin->resolver = resolver;
	admin->started = clock_ms();
	evhttp_set_max_headers_size(admin->http, ADMIN_HEADERS_MAX);
	evhttp_set_max_body_size(admin->http, ADMIN_BODY_MAX);
	evhttp_set_timeout(admin->http, ADMIN_TIMEOUT_S);
	evhttp_set_allowed_methods(admin->http,
	    EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_cb(admin->http, "/", admin_status, admin);
	evhttp_set_cb(admin->http, "/healthz", admin_healthz, admin);
	if (admin_accept(admin, base, fd) == 0)
		return admin;
	evhttp_free(admin->http);
	free(admin);
	return NULL;
}

void
admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	evhttp_free(admin->http);
	free(admin);
}
