#include "pool.h"

#include <stdlib.h>

#include "base/line.h"

struct pool *
pool_new(struct endpoint_set *set, uint64_t random)
{
	struct pool *pool;

	pool = line_alloc(sizeof(*pool) + set->count * sizeof(int64_t));
	if (pool == NULL)
		return NULL;
	pool->refs = 1;
	pool->set = set;
	balance_init(&pool->balance, set, pool->current, random);
	return pool;
}

struct pool *
pool_ref(struct pool *pool)
{
	pool->refs++;
	return pool;
}

void
pool_unref(struct pool *pool)
{
	if (pool == NULL || --pool->refs > 0)
		return;
	endpoint_set_unref(pool->set);
	free(pool);
}
