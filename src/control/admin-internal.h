/* What the files of the admin server share.  A page is a handler and a row in
 * admin_routes.c. */
#ifndef SLUICE_CONTROL_ADMIN_INTERNAL_H
#define SLUICE_CONTROL_ADMIN_INTERNAL_H

#include <event2/buffer.h>

#include "admin.h"

#define ADMIN_JSON "application/json"
#define ADMIN_LINES "application/x-ndjson"
#define ADMIN_TEXT "text/plain; charset=utf-8"
#define ADMIN_HTML "text/html; charset=utf-8"

struct admin_request; /* ends with its reply */

/* Replies once, by one of the functions below. */
typedef void admin_handler(struct admin_request *);

/* A POST changes something: it is for the Unix socket alone, and logged with
 * whose it is. */
enum admin_method { ADMIN_GET, ADMIN_POST };

struct admin_route {
	enum admin_method method; /* who takes GET takes HEAD */
	const char	 *path; /* "/x/...": and a name behind it */
	admin_handler	 *handle;
	const char	 *doc;
};

extern const struct admin_route ADMIN_ROUTES[];
extern const size_t		ADMIN_ROUTE_COUNT;

const struct admin_view *admin_view(const struct admin_request *);

/* Whose request it is, as the kernel says of a Unix socket: "uid 0, pid 42".
 * Returns 'text' (ADMIN_WHO bytes). */
#define ADMIN_WHO 48
const char *admin_who(const struct admin_request *, char *text);

uid_t	    admin_uid(const struct admin_request *);

/* The value of a parameter behind '?', decoded, or NULL; and all of them in
 * order, false after the last. */
const char *admin_query(const struct admin_request *, const char *name);
bool	    admin_query_at(const struct admin_request *, size_t,
	       const char **name, const char **value);

/* What stands in the path in place of "...", not decoded. */
const char *admin_tail(const struct admin_request *);

/* That with every %XX as the byte it stands for; the caller's, NULL without
 * memory. */
char *admin_decode(const char *);

/* The upstream of that name; of no name (NULL) the only one.  NULL: there is
 * none, or several, and that was replied. */
const struct upstream_conf *admin_upstream(struct admin_request *,
    const char *name);

/* Whether "format=text" asks for what a person reads, instead of JSON. */
bool admin_wants_text(const struct admin_request *);

/* Where the reply's body goes, and then off it goes. */
struct evbuffer *admin_body(struct admin_request *);
void		 admin_reply(struct admin_request *, const char *type);
void		 admin_reply_as(struct admin_request *, int code,
		    const char *type);

/* Says what is wrong with the request, as JSON or as text. */
void admin_fail(struct admin_request *, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A body of any length, made as it is taken: fill() adds a bounded piece of it
 * whenever the last one has gone out, at most once a turn of the loop. */
enum admin_more {
	ADMIN_MORE,   /* and more to come (nothing added is fine) */
	ADMIN_WAIT,   /* nothing more before admin_stream_wake() */
	ADMIN_DONE,   /* that was all */
	ADMIN_BROKEN, /* it cannot be finished, and the client shall know */
};

struct admin_source {
	enum admin_more (*fill)(void *, struct evbuffer *);
	void (*done)(void *); /* frees; also when the client left */
	bool endless; /* waits as long as the client stays; few may be such */
};

struct admin_stream;

/* The reply is what the source gives.  NULL without memory, or while there are
 * many that are endless: done() was called and the failure replied. */
struct admin_stream *admin_stream(struct admin_request *, const char *type,
    const struct admin_source *, void *);
void admin_stream_wake(struct admin_stream *);

/* The handlers: page.c, api_status.c. */
admin_handler page_status;
admin_handler api_healthz;
admin_handler api_readyz;
admin_handler api_status;

/* metrics.c, api_sessions.c, events.c */
admin_handler api_metrics;
admin_handler api_sessions;
admin_handler api_kill;
admin_handler api_events;

/* api_servers.c, api_server.c */
admin_handler api_servers;
admin_handler api_server;

/* api_reload.c */
admin_handler api_reload;

/* api_drain.c */
admin_handler api_drain;

/* api_pause.c */
admin_handler api_pause;
admin_handler api_resume;

#endif
