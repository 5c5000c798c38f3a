#include "generations.h"

#include <errno.h>
#include <stdlib.h>

int
generations_reserve(struct generations *g)
{
	struct snapshot **all;

	if (g->count < g->room)
		return 0;
	all = realloc(g->all, (g->count + 1) * sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	g->all = all;
	g->room = g->count + 1;
	return 0;
}

void
generations_add(struct generations *g, struct snapshot *snapshot)
{
	g->all[g->count++] = snapshot;
	if (g->first == NULL)
		g->first = snapshot_ref(snapshot);
}

static bool
generations_are_done_with(const struct generations *g, size_t i)
{
	return i + 1 < g->count && snapshot_is_ours_alone(g->all[i],
	    g->all[i] == g->first ? 2 : 1);
}

void
generations_sweep(struct generations *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->count; i++)
		if (generations_are_done_with(g, i))
			snapshot_unref(g->all[i]);
		else
			g->all[kept++] = g->all[i];
	g->count = kept;
}

const struct config **
generations_configs(const struct generations *g)
{
	const struct config **configs = calloc(g->count + 1, sizeof(*configs));

	for (size_t i = 0; configs != NULL && i < g->count; i++)
		configs[i] = snapshot_config(g->all[i]);
	return configs;
}

void
generations_done(struct generations *g)
{
	for (size_t i = 0; i < g->count; i++)
		snapshot_unref(g->all[i]);
	snapshot_unref(g->first);
	free(g->all);
	*g = (struct generations){ 0 };
}
