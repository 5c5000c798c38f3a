#include "base/ring.h"

#include "base/counter.h"
#include "base/line.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

/* head and tail only ever grow; their difference is the number of records in
 * the ring.  Each is written by one thread and has a cache line of its own. */
struct ring {
	size_t slots;
	size_t record_size; /* a multiple of the strictest alignment */

	alignas(LINE) _Atomic size_t head; /* next to fill; the writer's */
	struct counter dropped;			 /* the writer's */

	alignas(LINE) _Atomic size_t tail; /* next to read; the reader's */

	alignas(LINE) unsigned char records[];
};
static_assert(offsetof(struct ring, tail) - offsetof(struct ring, head) >=
    LINE && offsetof(struct ring, records) - offsetof(struct ring, tail) >=
    LINE, "writer and reader share a line");

static void *
ring_record(struct ring *ring, size_t index)
{
	return ring->records + (index & (ring->slots - 1)) * ring->record_size;
}

struct ring *
ring_new(size_t slots, size_t record_size)
{
	const size_t align = alignof(max_align_t);
	struct ring *ring;
	size_t size;

	assert(slots > 0 && (slots & (slots - 1)) == 0);
	if (record_size > SIZE_MAX - align)
		return NULL;
	record_size = (record_size + align - 1) & ~(align - 1);
	if (__builtin_mul_overflow(slots, record_size, &size) ||
	    __builtin_add_overflow(size, sizeof(*ring), &size))
		return NULL;
	ring = line_alloc(size);
	if (ring == NULL)
		return NULL;
	ring->slots = slots;
	ring->record_size = record_size;
	return ring;
}

void
ring_free(struct ring *ring)
{
	free(ring);
}

void *
ring_reserve(struct ring *ring)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

	if (head - tail == ring->slots) {
		counter_add(&ring->dropped, 1);
		return NULL;
	}
	return ring_record(ring, head);
}

void
ring_push(struct ring *ring)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
}

const void *
ring_peek(struct ring *ring)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

	return head == tail ? NULL : ring_record(ring, tail);
}

void
ring_pop(struct ring *ring)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
}

uint64_t
ring_dropped(const struct ring *ring)
{
	return counter_get(&ring->dropped);
}
