/* A configuration for as long as a worker needs it: while it is the current one,
 * while a session that began with it lives, or a listening socket has it.
 * Counted in plain ints by the one worker, for all of which it holds one
 * reference. */
#ifndef SLUICE_PROXY_ERA_H
#define SLUICE_PROXY_ERA_H

#include <stdbool.h>
#include <sys/queue.h>

struct config;
struct snapshot;
struct worker;

struct era;
LIST_HEAD(era_list, era);

/* With a reference of its own; NULL without memory. */
struct era *era_new(struct snapshot *);
void	    era_free(struct era *); /* NULL is fine */

/* From now on the worker knows it, or knew it before; takes it over. */
void era_enter(struct worker *, struct era *);

/* Before it enters a configuration that is new: at the places of upstreams that
 * it knows of none of, the addresses are those of others that were there.  Up to
 * then they stay: who was accepted by an older one may still be handed over. */
void era_clear_places(struct worker *, const struct config *);

/* Whether it does. */
bool era_is_known(const struct worker *, const struct config *);

/* Its snapshot, with one more reference, or NULL: it is not known. */
struct snapshot *era_snapshot(const struct worker *, const struct config *);

/* A session or a listening socket that needs a configuration which is known has
 * come, or gone. */
void era_use(struct worker *, const struct config *);
void era_leave(struct worker *, const struct config *);

/* Forgets those that nobody needs, but for the current one; all, at the end. */
void era_sweep(struct worker *);
void era_forget_all(struct worker *);

#endif
