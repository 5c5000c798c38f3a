#include "admin_http.h"

#include <assert.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "reserve.h"

#define HEADERS_MAX 8192
#define BODY_MAX    65536
#define TICK_MS	    100
#define CONNS_MAX   64

/* Every method that evhttp knows: which we do not take, we say ourselves. */
#define METHODS \
	(EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | \
	EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | \
	EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

/* --- from a request to its handler */

static bool
request_only_reads(const struct admin_request *req)
{
	return request_is_head(req) ||
	    evhttp_request_get_command(req->http) == EVHTTP_REQ_GET;
}

static bool
route_takes(const struct admin_route *route, const struct admin_request *req)
{
	return route->method == ADMIN_GET ? request_only_reads(req) :
	    evhttp_request_get_command(req->http) == EVHTTP_REQ_POST;
}

/* Where a name may follow, there has to be one. */
static bool
route_leads(const struct admin_route *route, const char *path,
    const char **tail)
{
	const char *name = strstr(route->path, "...");
	size_t len;

	*tail = NULL;
	if (name == NULL)
		return strcmp(route->path, path) == 0;
	len = (size_t)(name - route->path);
	if (strncmp(route->path, path, len) != 0)
		return false;
	*tail = path + len;
	return **tail != '\0';
}

/* The path may be known, but not with that method. */
static const struct admin_route *
route_find(struct admin_request *req, const char *path,
    const struct admin_route **other)
{
	*other = NULL;
	for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++) {
		if (!route_leads(&ADMIN_ROUTES[i], path, &req->tail))
			continue;
		if (route_takes(&ADMIN_ROUTES[i], req))
			return &ADMIN_ROUTES[i];
		*other = &ADMIN_ROUTES[i];
	}
	return NULL;
}

static void
request_unknown(struct admin_request *req, const char *path)
{
	struct str_guess guess = { 0 };
	char shown[128];

	for (size_t i = 0; i < ADMIN_ROUTE_COUNT; i++)
		str_guess_offer(&guess, path, ADMIN_ROUTES[i].path);
	str_escape(shown, sizeof(shown), path, strlen(path));
	if (guess.word != NULL)
		admin_fail(req, 404, "there is no '%s' here; did you mean %s?",
		    shown, guess.word);
	else
		admin_fail(req, 404, "there is no '%s' here; /api lists what "
		    "there is", shown);
}

static void
request_method_wrong(struct admin_request *req,
    const struct admin_route *route)
{
	const char *takes = route->method == ADMIN_GET ? "GET, HEAD" : "POST";

	evhttp_add_header(evhttp_request_get_output_headers(req->http),
	    "Allow", takes);
	admin_fail(req, 405, "%s takes %s", route->path, takes);
}

/* Every attempt to change something, with whose it is. */
static void
request_log_change(const struct admin_request *req)
{
	const char *uri = evhttp_request_get_uri(req->http);
	char who[ADMIN_WHO], shown[256];

	log_info("admin: %s: %s", admin_who(req, who),
	    str_escape(shown, sizeof(shown), uri, strlen(uri)));
}

static void
request_change(struct admin_request *req, const struct admin_route *route)
{
	request_log_change(req);
	route->handle(req);
}

static void
request_route(struct admin_request *req, const char *path)
{
	const struct admin_route *route, *other;

	route = route_find(req, path, &other);
	if (!request_only_reads(req) && !req->door->local)
		admin_fail(req, 403, "nothing can be changed through this "
		    "address, only seen; use the Unix socket (admin_socket), "
		    "as 'sluice ctl' does");
	else if (route != NULL && request_only_reads(req))
		route->handle(req);
	else if (route != NULL)
		request_change(req, route);
	else if (other != NULL)
		request_method_wrong(req, other);
	else
		request_unknown(req, path);
}

static void
request_handle(struct admin_request *req)
{
	const struct evhttp_uri *uri;
	const char *path, *query;

	uri = evhttp_request_get_evhttp_uri(req->http);
	path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	query = uri != NULL ? evhttp_uri_get_query(uri) : NULL;
	TAILQ_INIT(&req->query);
	if (query != NULL && evhttp_parse_query_str(query, &req->query) < 0)
		admin_fail(req, 400, "what follows '?' has to be "
		    "NAME=VALUE&NAME=VALUE");
	else
		request_route(req, path != NULL ? path : "");
	assert(req->replied);
	evhttp_clear_headers(&req->query);
}

static void
door_request_event(struct evhttp_request *http, void *arg)
{
	struct door *door = arg;
	struct admin_request req = { .door = door, .http = http,
		.failures = reserve_failures() };

	req.conn = admin_conn_find(&door->conns, http_bev(http));
	req.body = evbuffer_new();
	if (req.conn != NULL && req.body != NULL) {
		admin_conn_serve(req.conn);
		request_handle(&req);
	} else {
		evhttp_send_error(http, HTTP_SERVUNAVAIL, NULL);
	}
	if (req.body != NULL)
		evbuffer_free(req.body);
}

/* --- connections */

void
admin_hurry(struct admin *admin)
{
	event_active(&admin->tick, EV_TIMEOUT, 0);
}

/* Without memory those who are there already shall get what is left. */
static bool
door_has_room(const struct door *door)
{
	return door->conns.count < door->conns.max && !reserve_is_needed();
}

/* Whether there is anything to look after. */
static bool
door_sweep(struct door *door)
{
	if (door->http == NULL)
		return false;
	admin_conns_sweep(&door->conns, clock_ms());
	if (door->admin->finishing || !door_has_room(door))
		return true;
	return evconnlistener_enable(door->listener) < 0 ||
	    door->conns.count > 0;
}

static void
admin_tick_event(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = { .tv_usec = TICK_MS * 1000 };
	struct admin *admin = arg;
	bool busy = false;

	(void)fd, (void)what;
	for (size_t i = 0; i < DOORS; i++)
		if (door_sweep(&admin->doors[i]))
			busy = true;
	streams_sweep(admin);
	if (busy)
		event_add(&admin->tick, &tv);
}

/* Too many, or no memory: the rest waits in the kernel's queue until the sweep
 * has made room. */
static struct bufferevent *
door_conn_event(struct event_base *base, void *arg)
{
	struct door *door = arg;
	struct bufferevent *bev;

	bev = admin_conn_open(&door->conns, base, clock_ms());
	if (!door_has_room(door))
		evconnlistener_disable(door->listener);
	admin_hurry(door->admin);
	return bev;
}

static void door_accept_error(struct evconnlistener *, void *);

static void
door_resume_event(evutil_socket_t fd, short what, void *listener)
{
	(void)fd, (void)what;
	if (evconnlistener_enable(listener) < 0)
		door_accept_error(listener, NULL);
}

/* Out of descriptors: without a pause the listener would spin. */
static void
door_accept_error(struct evconnlistener *listener, void *http)
{
	const struct timeval tv = { .tv_usec = TICK_MS * 1000 };

	(void)http;
	if (event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT,
	    door_resume_event, listener, &tv) == 0)
		evconnlistener_disable(listener);
}

/* --- doors */

static int
door_listen(struct door *door, int fd)
{
	struct evconnlistener *listener = evconnlistener_new(door->admin->base,
	    NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, fd);

	if (listener == NULL)
		return -ENOMEM;
	if (evhttp_bind_listener(door->http, listener) == NULL) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(listener, door_accept_error);
	door->listener = listener;
	return 0;
}

static int
door_open(struct door *door, struct admin *admin, int fd)
{
	door->admin = admin;
	admin_conns_init(&door->conns, CONNS_MAX / DOORS);
	door->http = evhttp_new(admin->base);
	if (door->http == NULL)
		return -ENOMEM;
	evhttp_set_max_headers_size(door->http, HEADERS_MAX);
	evhttp_set_max_body_size(door->http, BODY_MAX);
	evhttp_set_allowed_methods(door->http, METHODS);
	evhttp_set_bevcb(door->http, door_conn_event, door);
	evhttp_set_gencb(door->http, door_request_event, door);
	return door_listen(door, fd);
}

static void
door_close(struct door *door)
{
	if (door->http == NULL)
		return;
	evhttp_free(door->http);
	admin_conns_done(&door->conns);
}

struct admin *
admin_new(struct event_base *base, const struct admin_sockets *sockets,
    const struct admin_view *view)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int error = 0;

	if (admin == NULL)
		return NULL;
	admin->base = base;
	admin->view = view;
	TAILQ_INIT(&admin->streams);
	event_assign(&admin->tick, base, -1, 0, admin_tick_event, admin);
	admin->doors[DOOR_UNIX].local = true;
	if (sockets->unix_fd >= 0)
		error = door_open(&admin->doors[DOOR_UNIX], admin,
		    sockets->unix_fd);
	if (error == 0 && sockets->tcp_fd >= 0)
		error = door_open(&admin->doors[DOOR_TCP], admin,
		    sockets->tcp_fd);
	if (error == 0)
		return admin;
	admin_free(admin);
	return NULL;
}

static bool
admin_is_busy(const struct admin *admin)
{
	for (size_t i = 0; i < DOORS; i++)
		if (admin->doors[i].http != NULL &&
		    admin_conns_busy(&admin->doors[i].conns))
			return true;
	return false;
}

void
admin_finish(struct admin *admin, uint64_t ms)
{
	uint64_t until = clock_ms() + ms;

	if (admin == NULL)
		return;
	admin->finishing = true;
	for (size_t i = 0; i < DOORS; i++)
		if (admin->doors[i].http != NULL)
			evconnlistener_disable(admin->doors[i].listener);
	admin_hurry(admin);
	while (admin_is_busy(admin) && clock_ms() < until)
		event_base_loop(admin->base, EVLOOP_ONCE);
}

void
admin_free(struct admin *admin)
{
	if (admin == NULL)
		return;
	event_del(&admin->tick);
	streams_end(admin);
	for (size_t i = 0; i < DOORS; i++)
		door_close(&admin->doors[i]);
	free(admin);
}
