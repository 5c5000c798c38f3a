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

#include "draining.h"

struct drains;
struct evbuffer;
struct event_base;
struct json;

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

/* All of them, from NULL to NULL. */
const struct draining *drains_next(const struct drains *,
    const struct draining *);

/* Whether every listener is drained. */
bool drains_all(const struct drains *);

/* drains_text.c: a line for each, behind an empty one; and an array. */
void drains_text(const struct drains *, struct evbuffer *);
void drains_json(const struct drains *, struct json *);

#endif
