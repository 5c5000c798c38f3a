#include "config/snapshot.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

struct snapshot {
	atomic_size_t  references;
	struct config *config; /* ours */
};

struct snapshot *
snapshot_new(struct config *config)
{
	struct snapshot *snapshot = malloc(sizeof(*snapshot));

	if (snapshot == NULL)
		return NULL;
	atomic_init(&snapshot->references, 1);
	snapshot->config = config;
	return snapshot;
}

struct snapshot *
snapshot_ref(struct snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->references, 1,
	    memory_order_relaxed);
	return snapshot;
}

/* What each thread did with the config happens before it is freed. */
void
snapshot_unref(struct snapshot *snapshot)
{
	size_t before;

	if (snapshot == NULL)
		return;
	before = atomic_fetch_sub_explicit(&snapshot->references, 1,
	    memory_order_acq_rel);
	assert(before > 0);
	if (before > 1)
		return;
	config_free(snapshot->config);
	free(snapshot);
}

bool
snapshot_is_ours_alone(const struct snapshot *snapshot, size_t ours)
{
	return atomic_load_explicit(&snapshot->references,
	    memory_order_acquire) == ours;
}

const struct config *
snapshot_config(const struct snapshot *snapshot)
{
	return snapshot->config;
}
