/* Bytes that were read and could not be sent at once.  A spill exists only
 * while there are such bytes.  Free ones are kept for the next: as many as are
 * in use and one more, so that a worker whose sessions are all idle holds one
 * and not what its busiest time took. */
#ifndef SLUICE_PROXY_SPILL_H
#define SLUICE_PROXY_SPILL_H

#include <stddef.h>
#include <stdint.h>

#define SPILL_SIZE (64 * 1024)
#define SPILL_KEPT 16

struct spill {
	struct spill *next; /* in the pool */
	uint32_t      size; /* SPILL_SIZE, or one that is not kept */
	uint32_t      start, len;
	uint8_t	      data[];
};

struct spill_pool {
	struct spill *free;
	unsigned      count; /* free ones */
	unsigned      used;
};

/* One holding a copy of 'len' bytes, or NULL. */
struct spill *spill_new(struct spill_pool *, const uint8_t *, size_t len);
void spill_free(struct spill_pool *, struct spill *); /* NULL is fine */
void spill_pool_done(struct spill_pool *);

#endif
