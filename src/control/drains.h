/* What operators drain: a listener, which accepts nobody any more; a server, or
 * all of an upstream, which get no new sessions.  Those that are there may stay,
 * or leave at a pace (drain.h).  Kept by name until it is undone, so that it
 * survives another configuration.
 *
 *	drains_begin() ---> no new ones; sessions leave ---> nobody is left
 *	      |                       |                            |
 *	      +-----------------------+------ drains_cancel() -----+
 */
#ifndef SLUICE_CONTROL_DRAINS_H
#define SLUICE_CONTROL_DRAINS_H

#include "changes.h"
#include "config/config.h"
#include "pace.h"

struct admin_view;
struct drain;
struct drains;
struct evbuffer;
struct event_base;
struct json;

enum drain_of { DRAIN_LISTENER, DRAIN_UPSTREAM, DRAIN_SERVER };

/* Who it is about, and what of the sessions. */
struct drain_about {
	enum drain_of		    of;
	const struct listener_conf *listener; /* LISTENER */
	const struct upstream_conf *upstream; /* UPSTREAM, SERVER */
	const char		   *server;   /* SERVER: a name or an address */
	struct rate_limit	    rate;     /* count 0: none */
	uint64_t		    deadline; /* ms, or PACE_NEVER */
	const char		   *who;
};

/* One that is under way, or has come to its end and holds. */
struct draining {
	TAILQ_ENTRY(draining) link;
	struct drains	     *drains;
	enum drain_of	      of;
	char		     *name;   /* owned: of the listener or upstream */
	char		     *server; /* owned: SERVER; else "" */
	struct drain	     *drain;  /* NULL: sessions may stay */
	struct rate_limit     rate;
	char		      who[CHANGE_WHO];
	uint64_t	      at;    /* clock_wall() */
	uint64_t	      since; /* the same as clock_ms() */
};

/* NULL without memory.  What the view shows must outlive them. */
struct drains *drains_new(struct event_base *, const struct admin_view *);
void	       drains_free(struct drains *); /* NULL is fine */

/* In place of an earlier one of the same.  0, -ENOENT: the upstream has no such
 * server, -ENOMEM: nothing has changed. */
int drains_begin(struct drains *, const struct drain_about *);

/* The one that was begun last. */
const struct draining *drains_last(const struct drains *);

/* Clients come again, and who is left stays.  0, -ENOENT: it is not drained,
 * -ENOMEM. */
int drains_cancel(struct drains *, const struct drain_about *);

/* An operator has said something else of servers: what nobody drains any more
 * is over. */
void drains_look(struct drains *);

/* Another configuration: who is in it no more is not drained either, and servers
 * that are new in an upstream that is drained are. */
void drains_follow(struct drains *);

/* All of them, from NULL to NULL; the sessions that are left, and how many have
 * been ended. */
const struct draining *drains_next(const struct drains *,
    const struct draining *);
uint64_t draining_left(const struct draining *);
uint64_t draining_ended(const struct draining *);

/* ms until the last has to go; PACE_NEVER: there is no such time. */
uint64_t draining_time_left(const struct draining *);

/* "listener pg", "server pg/db1".  Returns 'text' (DRAINING_TEXT bytes). */
#define DRAINING_TEXT 400
const char *draining_name(const struct draining *, char *text);

/* Whether every listener is drained. */
bool drains_all(const struct drains *);

/* drains_text.c: a line; one for each, behind an empty one; and an array. */
void draining_text(const struct draining *, struct evbuffer *);
void drains_text(const struct drains *, struct evbuffer *);
void drains_json(const struct drains *, struct json *);

#endif
