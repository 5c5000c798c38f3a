/* Whether the workers still turn.  A worker waits for nothing but events: one
 * that does not come back to its loop hangs in a system call or goes in circles,
 * and so do all of its sessions.
 *
 * Who has turned since the last look is left alone, and who has not, because
 * nothing happened or because it hangs, is nudged: an idle worker is woken once
 * in five seconds, and a busy one never. */
#ifndef SLUICE_CONTROL_PULSE_H
#define SLUICE_CONTROL_PULSE_H

#include <event2/event.h>

#include "crew.h"

struct pulse;

/* Begins to look.  '*config' is the configuration of that time, for the names
 * of listeners.  NULL without memory. */
struct pulse *pulse_new(struct event_base *, struct crew *,
    const struct config *const *config);
void	      pulse_free(struct pulse *);

/* Whether each worker has been seen to turn after 'since' (clock_ms()), or has
 * ended.  Looks anew, and nudges those that have not: who asks again a little
 * later knows. */
bool pulse_turned_since(struct pulse *, uint64_t since);

/* Logs which workers have not ended, and what they are at: it is known that they
 * have not turned for so many milliseconds. */
void pulse_tell_last(struct pulse *, uint64_t ms);

/* For how long a worker that hangs has not turned (ms); 0: it does. */
uint64_t pulse_stuck_ms(const struct pulse *, size_t worker);

/* How often it hung, this time included. */
uint64_t pulse_stalls(const struct pulse *, size_t worker);

#endif
