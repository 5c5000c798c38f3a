/* Replies of any length, made as they are taken. */
#include "admin_http.h"

#include <event2/bufferevent.h>
#include <stdlib.h>

#include "base/clock.h"
#include "reserve.h"

/* How long a client may take nothing: somebody with the socket may well page
 * through a list. */
#define STALL_TCP_MS  10000
#define STALL_UNIX_MS 600000

/* MOVING: what was made is being sent, and then comes the next turn. */
enum stage { STAGE_MOVING, STAGE_WAITING };

struct admin_stream {
	TAILQ_ENTRY(admin_stream) link;
	struct door		  *door;
	struct evhttp_request	  *http;
	struct admin_conn	  *conn; /* while http has a connection */
	const struct admin_source *source;
	void			  *arg;
	struct event		   turn;
	enum stage		   stage;
	uint64_t		   failures; /* of memory, before this turn */
	bool			   broken;   /* its head is not whole */
	bool			   head; /* only the headers were asked for */
};

static void
stream_free(struct admin_stream *s)
{
	TAILQ_REMOVE(&s->door->admin->streams, s, link);
	s->door->endless -= s->source->endless;
	event_del(&s->turn);
	s->source->done(s->arg);
	free(s);
}

static void
stream_end(struct admin_stream *s)
{
	struct evhttp_request *http = s->http;
	struct bufferevent *bev = http_bev(http);

	stream_free(s);
	evhttp_send_reply_end(http); /* frees it, if the client has left */
	http_deafen(bev);
}

/* A part of it is missing: the client shall know. */
static void
stream_break(struct admin_stream *s)
{
	if (evhttp_request_get_connection(s->http) != NULL)
		admin_conn_break(s->conn);
	stream_end(s);
}

static bool
stream_is_short(const struct admin_stream *s)
{
	return reserve_failures() != s->failures;
}

static void stream_sent(struct evhttp_connection *, void *);

/* Sends a piece; nothing to send means another turn. */
static void
stream_send(struct admin_stream *s, struct evbuffer *piece)
{
	uint64_t stall = s->door->local ? STALL_UNIX_MS : STALL_TCP_MS;

	s->stage = STAGE_MOVING;
	admin_conn_extend(s->conn, clock_ms() + stall);
	if (evbuffer_get_length(piece) == 0) {
		event_active(&s->turn, EV_TIMEOUT, 0);
		return;
	}
	evhttp_send_reply_chunk_with_cb(s->http, piece, stream_sent, s);
	http_deafen(http_bev(s->http));
	if (stream_is_short(s))
		stream_break(s);
}

static void
stream_fill(struct admin_stream *s, struct evbuffer *piece)
{
	enum admin_more more = s->source->fill(s->arg, piece);

	if (more == ADMIN_BROKEN || stream_is_short(s)) {
		stream_break(s);
	} else if (more == ADMIN_DONE) {
		if (evbuffer_get_length(piece) > 0)
			evhttp_send_reply_chunk(s->http, piece);
		if (stream_is_short(s))
			stream_break(s);
		else
			stream_end(s);
	} else if (more == ADMIN_MORE || evbuffer_get_length(piece) > 0) {
		stream_send(s, piece);
	} else {
		s->stage = STAGE_WAITING;
		admin_conn_extend(s->conn, UINT64_MAX);
	}
}

static void
stream_turn(struct admin_stream *s)
{
	struct evbuffer *piece;

	if (s->head || evhttp_request_get_connection(s->http) == NULL) {
		stream_end(s);
		return;
	}
	s->failures = reserve_failures();
	piece = s->broken ? NULL : evbuffer_new();
	if (piece == NULL) {
		stream_break(s);
		return;
	}
	stream_fill(s, piece);
	evbuffer_free(piece);
}

static void
stream_turn_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	stream_turn(arg);
}

/* The last piece is with the kernel.  From a turn of its own: evhttp is not to
 * be called back into. */
static void
stream_sent(struct evhttp_connection *c, void *arg)
{
	struct admin_stream *s = arg;

	(void)c;
	event_active(&s->turn, EV_TIMEOUT, 0);
}

/* Half of the places are for those who are gone in a moment: a health check,
 * and Prometheus, must not wait for the end of somebody's events. */
static bool
door_is_full(const struct door *door)
{
	size_t most = door->conns.max / 2;

	if (door->endless >= most)
		streams_sweep(door->admin); /* some may have left by now */
	return door->endless >= most;
}

static struct admin_stream *
stream_new(struct admin_request *req, const struct admin_source *source)
{
	struct admin_stream *s = NULL;

	if (source->endless && door_is_full(req->door)) {
		admin_fail(req, 503, "too many long replies at a time: %zu",
		    req->door->endless);
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		admin_fail(req, 500, "out of memory");
	return s;
}

struct admin_stream *
admin_stream(struct admin_request *req, const char *type,
    const struct admin_source *source, void *arg)
{
	struct admin *admin = req->door->admin;
	struct admin_stream *s = stream_new(req, source);

	if (s == NULL) {
		source->done(arg);
		return NULL;
	}
	s->door = req->door;
	s->http = req->http;
	s->conn = req->conn;
	s->source = source;
	s->arg = arg;
	s->head = request_is_head(req);
	event_assign(&s->turn, admin->base, -1, 0, stream_turn_event, s);
	TAILQ_INSERT_TAIL(&admin->streams, s, link);
	s->door->endless += source->endless;
	request_headers(req, type);
	evhttp_send_reply_start(s->http, HTTP_OK, "OK");
	http_deafen(http_bev(s->http));
	event_active(&s->turn, EV_TIMEOUT, 0);
	s->broken = reserve_failures() != req->failures;
	return s;
}

void
admin_stream_wake(struct admin_stream *s)
{
	if (s->stage == STAGE_WAITING)
		event_active(&s->turn, EV_TIMEOUT, 0);
}

/* Nobody hears of a client that leaves while there is nothing to write.  Where
 * there will be, writing tells: it may only have said all that it wants. */
static bool
stream_left(const struct admin_stream *s)
{
	return evhttp_request_get_connection(s->http) == NULL ||
	    (s->source->endless && s->stage == STAGE_WAITING &&
	    admin_conn_left(s->conn));
}

void
streams_sweep(struct admin *admin)
{
	struct admin_stream *s, *next;

	for (s = TAILQ_FIRST(&admin->streams); s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (stream_left(s))
			stream_end(s);
	}
}

void
streams_end(struct admin *admin)
{
	struct admin_stream *s;

	while ((s = TAILQ_FIRST(&admin->streams)) != NULL) {
		struct evhttp_request *http = s->http;

		stream_free(s);
		/* evhttp frees the requests of its connections itself */
		if (evhttp_request_get_connection(http) == NULL)
			evhttp_send_reply_end(http);
	}
}
