#include "admin_conn.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REQUEST_MS  10000
#define LINGER_MS   1000
#define INPUT_BYTES (96 * 1024) /* more than any request that we take */

enum stage { STAGE_READING, STAGE_SERVING, STAGE_CLOSING };

struct admin_conn {
	TAILQ_ENTRY(admin_conn) link;
	struct admin_conns     *conns;
	struct bufferevent     *bev; /* one reference */
	enum stage		stage;
	uint64_t		deadline;
};

void
admin_conns_init(struct admin_conns *conns, size_t max)
{
	TAILQ_INIT(&conns->list);
	conns->count = 0;
	conns->max = max;
}

struct bufferevent *
admin_conn_open(struct admin_conns *conns, struct event_base *base,
    uint64_t now)
{
	struct admin_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		return NULL;
	conn->bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (conn->bev == NULL) {
		free(conn);
		return NULL;
	}
	bufferevent_incref(conn->bev);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, INPUT_BYTES);
	conn->conns = conns;
	conn->deadline = now + REQUEST_MS;
	TAILQ_INSERT_TAIL(&conns->list, conn, link);
	conns->count++;
	return conn->bev;
}

/* The socket is closed by the loop, once no callback of it runs any more. */
static void
conn_close(struct admin_conn *conn)
{
	TAILQ_REMOVE(&conn->conns->list, conn, link);
	conn->conns->count--;
	bufferevent_decref(conn->bev);
	free(conn);
}

void
admin_conns_done(struct admin_conns *conns)
{
	struct admin_conn *conn;

	while ((conn = TAILQ_FIRST(&conns->list)) != NULL) {
		bufferevent_setcb(conn->bev, NULL, NULL, NULL, NULL);
		conn_close(conn);
	}
}

struct admin_conn *
admin_conn_find(const struct admin_conns *conns, const struct bufferevent *bev)
{
	struct admin_conn *conn;

	TAILQ_FOREACH(conn, &conns->list, link)
		if (conn->bev == bev)
			return conn;
	return NULL;
}

void
admin_conn_serve(struct admin_conn *conn)
{
	conn->stage = STAGE_SERVING;
}

void
admin_conn_extend(struct admin_conn *conn, uint64_t deadline)
{
	conn->deadline = deadline;
}

bool
admin_conn_left(const struct admin_conn *conn)
{
	struct pollfd fd = { bufferevent_getfd(conn->bev), POLLRDHUP, 0 };

	return poll(&fd, 1, 0) > 0;
}

static void
conn_read_event(struct bufferevent *bev, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(bev);

	(void)arg;
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void
conn_end_event(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
	conn_close(arg);
}

/* evhttp has sent FIN and forgotten it. */
static void
conn_linger(struct admin_conn *conn, uint64_t now)
{
	conn->stage = STAGE_CLOSING;
	conn->deadline = now + LINGER_MS;
	bufferevent_setcb(conn->bev, conn_read_event, NULL, conn_end_event,
	    conn);
	conn_read_event(conn->bev, conn);
	bufferevent_disable(conn->bev, EV_WRITE);
	bufferevent_enable(conn->bev, EV_READ);
}

static bool
conn_forgotten(const struct admin_conn *conn)
{
	bufferevent_event_cb event;

	bufferevent_getcb(conn->bev, NULL, NULL, &event, NULL);
	return event == NULL;
}

bool
admin_conns_busy(const struct admin_conns *conns)
{
	struct admin_conn *conn;

	TAILQ_FOREACH(conn, &conns->list, link)
		if (conn->stage != STAGE_READING)
			return true;
	return false;
}

/* What a timeout of its own would do to evhttp: it drops the connection, and
 * whoever makes the reply finds that out. */
static void
conn_drop(struct admin_conn *conn)
{
	bufferevent_trigger_event(conn->bev,
	    BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
}

void
admin_conn_break(struct admin_conn *conn)
{
	if (conn->stage == STAGE_CLOSING)
		bufferevent_setcb(conn->bev, NULL, NULL, NULL, NULL);
	else
		conn_drop(conn);
	conn_close(conn);
}

/* Nothing was written to it yet, so the kernel has room for this. */
static void
conn_refuse(struct admin_conn *conn, const char *reply)
{
	send(bufferevent_getfd(conn->bev), reply, strlen(reply),
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	conn_drop(conn);
}

static void
conn_overdue(struct admin_conn *conn, uint64_t now)
{
	if (conn->stage != STAGE_READING) {
		admin_conn_break(conn);
		return;
	}
	conn_refuse(conn, "HTTP/1.1 408 Request Timeout\r\n"
	    "Content-Type: application/json\r\nConnection: close\r\n\r\n"
	    "{\"error\":\"the request took longer than 10 s\"}\n");
	conn_linger(conn, now);
}

static struct admin_conn *
conns_oldest(const struct admin_conns *conns, enum stage stage)
{
	struct admin_conn *conn;

	TAILQ_FOREACH(conn, &conns->list, link)
		if (conn->stage == stage)
			return conn;
	return NULL;
}

/* Who is being served stays; who only holds a place has to go.  A few at a
 * time, oldest first: who came last has not had the time to ask yet. */
static void
conns_make_room(struct admin_conns *conns)
{
	struct admin_conn *conn;

	while (conns->count > conns->max - conns->max / 4) {
		conn = conns_oldest(conns, STAGE_CLOSING);
		if (conn == NULL) {
			conn = conns_oldest(conns, STAGE_READING);
			if (conn == NULL)
				return;
			conn_refuse(conn, "HTTP/1.1 503 Service Unavailable"
			    "\r\nContent-Type: application/json\r\n"
			    "Connection: close\r\n\r\n{\"error\":\"too many "
			    "connections, and this one asked for nothing "
			    "yet\"}\n");
		}
		admin_conn_break(conn);
	}
}

void
admin_conns_sweep(struct admin_conns *conns, uint64_t now)
{
	struct admin_conn *conn, *next;

	for (conn = TAILQ_FIRST(&conns->list); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->stage != STAGE_CLOSING && conn_forgotten(conn))
			conn_linger(conn, now);
		else if (now >= conn->deadline)
			conn_overdue(conn, now);
	}
	if (conns->count >= conns->max)
		conns_make_room(conns);
}
