/* A ring of fixed-size records between one writing and one reading thread,
 * without a lock.  Full means the record is dropped and counted: a slow log
 * device must never hold up traffic. */
#ifndef SLUICE_BASE_RING_H
#define SLUICE_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* 'slots' is a power of two.  Returns NULL without memory. */
struct ring *ring_new(size_t slots, size_t record_size);
void	     ring_free(struct ring *);

/* Writer: the next free record to fill in place, or NULL (and one more drop
 * counted) when full; ring_push() then publishes it. */
void *ring_reserve(struct ring *);
void  ring_push(struct ring *);

/* Reader: the oldest record, or NULL; ring_pop() gives its slot back. */
const void *ring_peek(struct ring *);
void	    ring_pop(struct ring *);

/* Records dropped since the start.  Any thread. */
uint64_t ring_dropped(const struct ring *);

#endif
