/* Where what is kept by listener or by upstream is found: counters, limits, wait
 * lists, servers.  A name keeps its place from one configuration to the next as
 * long as anybody uses one that has it, and what is kept there stays its own. */
#ifndef SLUICE_CONFIG_PLACES_H
#define SLUICE_CONFIG_PLACES_H

#include "config/config.h"

/* Gives each listener and upstream of a configuration that nobody uses yet its
 * place ('index'): that of the same name in the 'live' ones, of which none is
 * there twice at different places; else the lowest that is free in all of them.
 * 0, -ENOMEM, or -E2BIG: more than 'room' would be in use. */
int config_places(struct config *, const struct config *const *live,
    size_t nlive, size_t room);

/* The listener or upstream of that place, or NULL: this configuration has none
 * there. */
const struct listener_conf *config_listener_at(const struct config *,
    size_t place);
const struct upstream_conf *config_upstream_at(const struct config *,
    size_t place);

/* The one of that name, or NULL. */
const struct listener_conf *config_listener_named(const struct config *,
    const char *name);
const struct upstream_conf *config_upstream_named(const struct config *,
    const char *name);

#endif
