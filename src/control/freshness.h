/* When a name is to be asked for again, and how long its last answer is good.
 * Pure: 'now' is clock_ms(). */
#ifndef SLUICE_CONTROL_FRESHNESS_H
#define SLUICE_CONTROL_FRESHNESS_H

#include <stdbool.h>
#include <stdint.h>

#define FRESHNESS_STALE_MS (UINT64_C(3600) * 1000)

/*	unknown -> good <-> failing -> given up
 *	   |                  ^           |
 *	   +------------------+           +-> good */
struct freshness {
	uint64_t ttl_min, ttl_max; /* ms */
	uint64_t asked_at;	   /* last; 0: never */
	uint64_t good_at;	   /* last; 0: never */
	uint64_t ttl;		   /* ms, of the last good one, within bounds */
	uint64_t failing_since;	   /* 0: it is not */
	uint64_t half_since;	   /* a family is not answered; 0: both are */
	uint64_t retry;		   /* ms to the next attempt, while failing */
	uint64_t due_at;	   /* when to ask again */
};

/* A question goes out. */
void freshness_ask(struct freshness *, uint64_t now);

/* It was answered; 'ttl' in s.  Without one, the addresses are asked for again
 * after 30 s. */
void freshness_good(struct freshness *, uint64_t now, bool has_ttl,
    uint32_t ttl);

/* It was answered, but not for one family: again after 1, 2, 4, ... 30 s.
 * Whether what was known of that one may still be used: for an hour. */
bool freshness_half(struct freshness *, uint64_t now, bool has_ttl,
    uint32_t ttl);

/* It failed: again after 1, 2, 4, ... 30 s.  Whether what it gave last may
 * still be used: for an hour. */
bool freshness_bad(struct freshness *, uint64_t now);

/* The question that went out will not be answered: hurry. */
void freshness_forget(struct freshness *);

/* A reason to ask at once, but not within a second of the last time.  Whether
 * that is sooner than it was due. */
bool freshness_hurry(struct freshness *, uint64_t now);

/* Whether the name has been answered or has failed. */
bool freshness_is_settled(const struct freshness *);

/* ms until what it gave is to be asked for again, 0: that is due. */
uint64_t freshness_left(const struct freshness *, uint64_t now);

#endif
