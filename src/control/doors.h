/* Listeners that refuse clients: those of an upstream with on_no_server =
 * unlisten while no server of theirs is up, and those that operators drain. */
#ifndef SLUICE_CONTROL_DOORS_H
#define SLUICE_CONTROL_DOORS_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct crew;
struct doors;
struct listener_conf;
struct event_base;
struct servers;

/* All are open; NULL without memory. */
struct doors *doors_new(struct event_base *, const struct config *,
    struct crew *, const struct servers *);
void	      doors_free(struct doors *); /* NULL is fine */

/* A server of an upstream has gone out, or come back; or it has others.  What
 * cannot be told for want of memory is tried again. */
void doors_look(struct doors *, size_t upstream);

/* An operator drains a listener, or no longer.  Who is on the way to it still
 * comes. */
void doors_drain(struct doors *, const struct listener_conf *, bool drains);
bool doors_is_drained(const struct doors *, size_t listener);

/* Room for the listeners of another configuration (0 or -errno), and that it is
 * the one now. */
int  doors_grow(struct doors *, const struct config *);
void doors_follow(struct doors *, const struct config *);

bool doors_is_open(const struct doors *, size_t listener);

#endif
