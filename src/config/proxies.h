/* accept_proxy_from as one look-up. */
#ifndef SLUICE_CONFIG_PROXIES_H
#define SLUICE_CONFIG_PROXIES_H

#include "arena.h"
#include "config/config.h"

/* Of the listener's list; NULL: it has none, or no memory is left, which the
 * arena tells. */
const struct prefix_map *proxies_map(struct arena *,
    const struct listener_conf *);

#endif
