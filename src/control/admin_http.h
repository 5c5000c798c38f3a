/* The admin server from within: what its three files that know evhttp share. */
#ifndef SLUICE_CONTROL_ADMIN_HTTP_H
#define SLUICE_CONTROL_ADMIN_HTTP_H

#include <event2/event_struct.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "admin-internal.h"
#include "admin_conn.h"

/* One address that it serves on. */
struct door {
	struct admin	      *admin;
	struct evhttp	      *http;
	struct evconnlistener *listener;
	struct admin_conns     conns;
	size_t		       endless; /* streams */
	bool		       local;	/* the Unix socket */
};

enum { DOOR_UNIX, DOOR_TCP, DOORS };

struct admin {
	struct event_base	*base;
	const struct admin_view *view;
	struct door		 doors[DOORS]; /* http NULL: there is none */
	struct event		 tick;
	bool			 finishing; /* nobody is let in */
	TAILQ_HEAD(, admin_stream) streams;
};

/* While its handler runs. */
struct admin_request {
	struct door	      *door;
	struct evhttp_request *http;
	struct admin_conn     *conn;
	const char	      *tail; /* of its path, behind its row's */
	struct evkeyvalq       query;
	struct evbuffer	      *body;
	uint64_t	       failures; /* of memory, when it began */
	bool		       replied;
};

/* Looks after connections and streams at once, not at the next tick. */
void admin_hurry(struct admin *);

bool request_is_head(const struct admin_request *);
void request_headers(struct admin_request *, const char *type);

/* evhttp listens for the client's end while it writes, and would drop the rest
 * of the reply for a client that only closed its sending side.  To be called
 * after each of its functions that write, with what http_bev() said before. */
struct bufferevent *http_bev(struct evhttp_request *); /* NULL: it is gone */
void		    http_deafen(struct bufferevent *); /* NULL is fine */

/* Ends those whose client has left; all, when evhttp is about to go. */
void streams_sweep(struct admin *);
void streams_end(struct admin *);

#endif
