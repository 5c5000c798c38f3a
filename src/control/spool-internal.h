/* What the two halves of the spool know of each other: spool.c moves lines,
 * spool_change.c changes where to. */
#ifndef SLUICE_CONTROL_SPOOL_INTERNAL_H
#define SLUICE_CONTROL_SPOOL_INTERNAL_H

#include "spool.h"

/* What was lost so far of what was to go to that outlet. */
void spool_lost(const struct spool *, const struct outlet *, uint64_t *lost);

/* Puts a message into the queue. */
void spool_say(struct spool *, const struct message *);

/* Moves lines that are not later than 'until' (clock_wall()) to the devices;
 * true: there were some. */
bool spool_lines(struct spool *, bool all, uint64_t until);

/* Carries out the plan, if there is one. */
void spool_follow(struct spool *);

/* Writes what those who leave still have; true: they took some. */
bool spool_empty_leaving(struct spool *);

/* At the end: closes those, and drops a plan. */
void spool_forget(struct spool *);

#endif
