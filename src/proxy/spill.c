#include "spill.h"

#include <stdlib.h>
#include <string.h>

static struct spill *
spill_get(struct spill_pool *pool, size_t len)
{
	struct spill *s = pool->free;
	size_t size = len > SPILL_SIZE ? len : SPILL_SIZE;

	if (s != NULL && size == SPILL_SIZE) {
		pool->free = s->next;
		pool->count--;
		return s;
	}
	s = malloc(sizeof(*s) + size);
	if (s != NULL)
		s->size = (uint32_t)size;
	return s;
}

struct spill *
spill_new(struct spill_pool *pool, const uint8_t *data, size_t len)
{
	struct spill *s = spill_get(pool, len);

	if (s == NULL)
		return NULL;
	pool->used++;
	s->start = 0;
	s->len = (uint32_t)len;
	memcpy(s->data, data, len);
	return s;
}

static void
spill_keep(struct spill_pool *pool, unsigned most)
{
	while (pool->count > most) {
		struct spill *s = pool->free;

		pool->free = s->next;
		pool->count--;
		free(s);
	}
}

void
spill_free(struct spill_pool *pool, struct spill *s)
{
	if (s == NULL)
		return;
	pool->used--;
	if (s->size > SPILL_SIZE) {
		free(s);
	} else {
		s->next = pool->free;
		pool->free = s;
		pool->count++;
	}
	spill_keep(pool, pool->used < SPILL_KEPT ? pool->used + 1 :
	    SPILL_KEPT);
}

void
spill_pool_done(struct spill_pool *pool)
{
	spill_keep(pool, 0);
}
