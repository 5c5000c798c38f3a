/* max_sessions, session_rate and who is kept waiting, exact across workers. */
#ifndef SLUICE_PROXY_LIMIT_H
#define SLUICE_PROXY_LIMIT_H

#include <stdbool.h>

#include "proxy/worker.h"

/* Takes a slot in both, the listener's and the global one; false when one of
 * them is full. */
bool limit_take(struct shared *, const struct listener_conf *);
void limit_give(struct shared *, const struct listener_conf *);

/* session_rate of the listener, for all clients, by a clock of ms: takes one of
 * its places or says false, and gives one back that was not used after all. */
bool limit_rate_take(struct shared *, const struct listener_conf *,
    uint64_t now);
void limit_rate_give(struct shared *, const struct listener_conf *);

/* Whether one more who is denied may be kept waiting (deny_action = drop):
 * 1,000 in the process, and of each max_sessions a quarter, since they have a
 * slot. */
bool limit_hold(struct shared *, const struct listener_conf *);
void limit_let_go(struct shared *);

/* Whether anybody holds a slot: true for every live session. */
bool limit_held(const struct shared *, const struct listener_conf *);

#endif
