/* A timer wheel: one deadline an entry, 100 ms ticks, O(1) to set and clear.
 *
 * 4,096 slots reach 409 s; what lies further out is kept at the rim and comes
 * up then, which is right for sessions: at expiry the owner computes the true
 * deadline anew (I/O only stamps a time) and sets the entry again.  Pure: time
 * is an argument, in ms of one clock. */
#ifndef SLUICE_BASE_WHEEL_H
#define SLUICE_BASE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define WHEEL_TICK_MS	100
#define WHEEL_SLOTS	4096

struct wheel_entry {
	LIST_ENTRY(wheel_entry) link;
	uint32_t slot;
	bool	 set;
};
LIST_HEAD(wheel_list, wheel_entry);

struct wheel {
	uint64_t	  tick; /* the next tick to be served */
	uint64_t	  occupied[WHEEL_SLOTS / 64];
	struct wheel_list slots[WHEEL_SLOTS];
};

/* An empty wheel at time 'now'. */
void wheel_init(struct wheel *, uint64_t now);

/* Has the entry come up at 'deadline' or up to one tick later, never earlier
 * (but see the rim above).  An entry that is set already moves. */
void wheel_set(struct wheel *, struct wheel_entry *, uint64_t deadline);
void wheel_clear(struct wheel *, struct wheel_entry *); /* not set is fine */

/* Whether the entry comes up later than if it were set to 'deadline'; one that
 * is not set never comes up. */
bool wheel_misses(const struct wheel *, const struct wheel_entry *,
    uint64_t deadline);

/* Unlinks and returns an entry whose time has come, or NULL when there is none
 * up to 'now'.  Call until NULL; entries may be set and cleared between. */
struct wheel_entry *wheel_expire(struct wheel *, uint64_t now);

/* When wheel_expire() next has something to give; UINT64_MAX if empty. */
uint64_t wheel_next(const struct wheel *);

#endif
