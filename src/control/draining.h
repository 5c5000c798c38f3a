/* One of drains.h: a listener, a server, or all of an upstream. */
#ifndef SLUICE_CONTROL_DRAINING_H
#define SLUICE_CONTROL_DRAINING_H

#include "changes.h"
#include "config/config.h"
#include "pace.h"

struct admin_view;
struct drain;
struct evbuffer;
struct event_base;

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
	TAILQ_ENTRY(draining)	 link; /* drains.c */
	struct event_base	*base;
	const struct admin_view *view;
	enum drain_of		 of;
	char			*name;	 /* owned: of the listener or upstream */
	char			*server; /* owned: SERVER; else "" */
	struct drain		*drain;	 /* NULL: sessions may stay */
	struct server_state    **states; /* owned, one reference each: servers
					    that it began with, in order */
	size_t			 nstates;
	struct rate_limit	 rate;
	char			 who[CHANGE_WHO];
	uint64_t		 at;	/* clock_wall() */
	uint64_t		 since; /* the same as clock_ms() */
};

/* NULL without memory; nothing has begun. */
struct draining *draining_new(struct event_base *, const struct admin_view *,
    const struct drain_about *);
void		 draining_free(struct draining *); /* who is left stays */

/* Whether that is what it is about. */
bool draining_is(const struct draining *, const struct drain_about *);

/* No new ones, or new ones again.  0, -ENOENT: the upstream has no such server,
 * -ENOMEM. */
int draining_set(const struct admin_view *, const struct drain_about *,
    bool drained);

/* Those that are there begin to leave, if they have to.  0 or -ENOMEM. */
int draining_go(struct draining *, const struct drain_about *);

/* Servers that are new in an upstream that is drained are drained, too.  0 or
 * -ENOMEM. */
int draining_follow(const struct draining *);

/* Whether it is still there, and nobody has said otherwise. */
bool draining_holds(const struct draining *);

/* Sessions that are left, and how many have been ended. */
uint64_t draining_left(const struct draining *);
uint64_t draining_ended(const struct draining *);

/* ms until the last has to go; PACE_NEVER: there is no such time. */
uint64_t draining_time_left(const struct draining *);

/* "listener pg", "server pg/db1".  Returns 'text' (DRAINING_TEXT bytes). */
#define DRAINING_TEXT 400
const char *draining_name(const struct draining *, char *text);

/* drains_text.c: a line. */
void draining_text(const struct draining *, struct evbuffer *);

#endif
