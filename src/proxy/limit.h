/* max_sessions, exact across workers: global and per listener. */
#ifndef SLUICE_PROXY_LIMIT_H
#define SLUICE_PROXY_LIMIT_H

#include <stdbool.h>

#include "proxy/worker.h"

/* Takes a slot in both; false when one of them is full. */
bool limit_take(struct shared *, const struct listener_conf *);
void limit_give(struct shared *, const struct listener_conf *);

/* Whether anybody holds a slot: true for every live session. */
bool limit_held(const struct shared *, const struct listener_conf *);

#endif
