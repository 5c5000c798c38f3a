/* Upstreams that operators have paused: since when, and who did. */
#ifndef SLUICE_CONTROL_PAUSES_H
#define SLUICE_CONTROL_PAUSES_H

#include "servers.h"

struct evbuffer;
struct admin_view;

/* Of an upstream; NULL: it is not paused. */
const struct change *pauses_find(struct servers *,
    const struct upstream_conf *);

/* Notes it, so many having waited before; one that is paused already stays as
 * it was noted.  0 or -ENOMEM. */
int pauses_begin(struct servers *, const struct upstream_conf *,
    uint64_t waited, const char *who);
void pauses_end(struct servers *, const struct upstream_conf *);

/* How many wait now for a server of an upstream. */
uint64_t pauses_waiting(const struct admin_view *,
    const struct upstream_conf *);

/* A line for each upstream that is paused, behind an empty one: what a person
 * who looks at sessions or servers must not overlook. */
void pauses_text(const struct admin_view *, struct evbuffer *);

#endif
