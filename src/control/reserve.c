#include "reserve.h"

#include <errno.h>
#include <event2/event.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 256

/* Less than the smallest of an evbuffer's chains, so that a long reply does not
 * eat it up; more than any structure of evhttp and bufferevent. */
#define BLOCK_SIZE 1008

union block {
	union block *next;
	max_align_t  align;
	char	     bytes[BLOCK_SIZE];
};

static union block *blocks; /* the same from reserve_init() on */

static _Thread_local struct {
	bool	     open;
	union block *free;
	size_t	     used;
	uint64_t     failures;
} reserve;

static bool
reserve_has(const void *p)
{
	return (uintptr_t)p >= (uintptr_t)blocks &&
	    (uintptr_t)p < (uintptr_t)(blocks + BLOCKS);
}

static void *
reserve_take(size_t size)
{
	union block *block = reserve.free;

	if (!reserve.open)
		return NULL;
	if (block == NULL || size > sizeof(*block)) {
		reserve.failures++;
		return NULL;
	}
	reserve.free = block->next;
	reserve.used++;
	return block;
}

static void
reserve_put(void *p)
{
	union block *block = p;

	block->next = reserve.free;
	reserve.free = block;
	reserve.used--;
}

static void *
reserve_malloc(size_t size)
{
	void *p = malloc(size);

	return p != NULL ? p : reserve_take(size);
}

static void
reserve_free(void *p)
{
	if (reserve_has(p))
		reserve_put(p);
	else
		free(p);
}

/* Between the two, or from one to the other: what was there goes along. */
static void *
reserve_move(void *old, size_t had, size_t size)
{
	void *p = reserve_malloc(size);

	if (p == NULL)
		return NULL;
	memcpy(p, old, had < size ? had : size);
	reserve_free(old);
	return p;
}

static void *
reserve_realloc(void *old, size_t size)
{
	void *p;

	if (old == NULL)
		return reserve_malloc(size);
	if (reserve_has(old))
		return size <= BLOCK_SIZE ? old :
		    reserve_move(old, BLOCK_SIZE, size);
	p = realloc(old, size);
	return p != NULL || size == 0 ? p :
	    reserve_move(old, malloc_usable_size(old), size);
}

int
reserve_init(void)
{
	blocks = calloc(BLOCKS, sizeof(*blocks));
	if (blocks == NULL)
		return -ENOMEM;
	event_set_mem_functions(reserve_malloc, reserve_realloc, reserve_free);
	return 0;
}

void
reserve_open(void)
{
	reserve.open = true;
	for (size_t i = 0; i < BLOCKS; i++)
		reserve_put(&blocks[i]);
	reserve.used = 0;
}

/* What libevent keeps for good, as its table of descriptors, may stay here long
 * after.  The compiler must not know that nobody uses what is got. */
bool
reserve_is_needed(void)
{
	void *volatile p = reserve.used > 0 ? malloc(BLOCK_SIZE) : NULL;

	if (p == NULL)
		return reserve.used > 0;
	free(p);
	return false;
}

uint64_t
reserve_failures(void)
{
	return reserve.failures;
}
