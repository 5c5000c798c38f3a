/* A counted handle over one immutable config.  Reload makes a new one; old
 * sessions keep theirs, and the last reference frees it. */
#ifndef SLUICE_CONFIG_SNAPSHOT_H
#define SLUICE_CONFIG_SNAPSHOT_H

#include "config/config.h"

struct snapshot;

/* Takes the config over and holds one reference.  NULL without memory, and
 * then the config is still the caller's. */
struct snapshot *snapshot_new(struct config *);

/* Any thread. */
struct snapshot	    *snapshot_ref(struct snapshot *);
void		     snapshot_unref(struct snapshot *); /* NULL is fine */

/* Whether the caller's references, of which there are so many, are the last: what
 * others did with the config has happened. */
bool snapshot_is_ours_alone(const struct snapshot *, size_t ours);
const struct config *snapshot_config(const struct snapshot *);

#endif
