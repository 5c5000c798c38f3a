/* max_sessions and who is kept waiting, exact across workers: global and per listener. */
#ifndef SLUICE_PROXY_LIMIT_H
#define SLUICE_PROXY_LIMIT_H

#include <stdbool.h>

#include "proxy/worker.h"

/* Takes a slot in both; false when one of them is full. */
bool limit_take(struct shared *, const struct listener_conf *);
void limit_give(struct shared *, const struct listener_conf *);

/* Whether one more who is denied may be kept waiting (deny_action = drop): 1,000
 * in the process, and of each max_sessions a quarter, since they have a slot. */
bool limit_hold(struct shared *, const struct listener_conf *);
void limit_let_go(struct shared *);

/* Whether anybody holds a slot: true for every live session. */
bool limit_held(const struct shared *, const struct listener_conf *);

#endif
