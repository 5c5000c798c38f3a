/* How fast one direction of a session may go: a bucket of tokens, one for each
 * byte, that fills at the rate.  Pure; the time is an argument.
 *
 * Who has run out waits (refill.c) until there are some for METER_WAIT_MS.
 * What silence saves up is METER_BURST_MS of the rate, so that no second has
 * more than 3 % above it; but the time of who waits for its turn is not
 * lost. */
#ifndef SLUICE_PROXY_METER_H
#define SLUICE_PROXY_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define METER_WAIT_MS  15
#define METER_BURST_MS 30
#define METER_LATE_MS  100 /* of a turn: what is later is lost */
#define METER_LEAST    256 /* bytes: fewer are not worth the calls */

struct meter {
	uint64_t rate;	 /* bytes a second; 0: no limit */
	uint64_t credit; /* thousandths of a byte */
	uint64_t filled; /* when, ms */
	bool	 busy;	 /* stopped last time with work left */
};

/* One that is as after a silence. */
void meter_init(struct meter *, uint64_t rate, uint64_t now);

/* How many bytes may be moved now; SIZE_MAX: there is no limit. */
size_t meter_room(struct meter *, uint64_t now);

/* So many were moved, of those there was room for. */
void meter_take(struct meter *, size_t);

/* So many went without asking: what there was no room for is waited for before
 * there is any again. */
void meter_owe(struct meter *, size_t);

/* Whether waiting any longer is of no use. */
bool meter_is_full(struct meter *, uint64_t now);

#endif
