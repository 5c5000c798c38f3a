#include "spill.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct spill *
spill_new(struct spill_pool *pool, const uint8_t *data, size_t len)
{
	struct spill *s = pool->free;

	assert(len <= SPILL_SIZE);
	if (s != NULL) {
		pool->free = s->next;
		pool->count--;
	} else if ((s = malloc(sizeof(*s))) == NULL) {
		return NULL;
	}
	s->start = 0;
	s->len = (uint32_t)len;
	memcpy(s->data, data, len);
	return s;
}

void
spill_free(struct spill_pool *pool, struct spill *s)
{
	if (s == NULL)
		return;
	if (pool->count >= SPILL_KEPT) {
		free(s);
		return;
	}
	s->next = pool->free;
	pool->free = s;
	pool->count++;
}

void
spill_pool_done(struct spill_pool *pool)
{
	while (pool->free != NULL) {
		struct spill *s = pool->free;

		pool->free = s->next;
		free(s);
	}
	pool->count = 0;
}
