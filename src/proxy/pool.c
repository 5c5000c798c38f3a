#include "pool.h"

#include <stdlib.h>

#include "base/line.h"
#include "proxy/balance.h"

static void
pool_advance(struct pool *pool, size_t turns)
{
	uint64_t *tried = calloc(BALANCE_WORDS(pool->set->count) + 1,
	    sizeof(*tried));

	if (tried == NULL)
		return;
	while (turns-- > 0)
		balance_round_robin(pool->set, pool->current, tried);
	free(tried);
}

struct pool *
pool_new(struct endpoint_set *set, uint64_t random)
{
	struct pool *pool;

	pool = line_alloc(sizeof(*pool) + set->count * sizeof(int64_t));
	if (pool == NULL)
		return NULL;
	pool->refs = 1;
	pool->set = set;
	if (set->count > 1)
		pool_advance(pool, random % set->count);
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
