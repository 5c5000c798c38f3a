#include "era.h"

#include <assert.h>
#include <stdlib.h>

#include "config/places.h"
#include "config/snapshot.h"
#include "worker-internal.h"

struct era {
	LIST_ENTRY(era)	 link;	   /* worker->eras */
	struct snapshot *snapshot; /* one reference */
	uint64_t	 users;
};

struct era *
era_new(struct snapshot *snapshot)
{
	struct era *era = calloc(1, sizeof(*era));

	if (era != NULL)
		era->snapshot = snapshot_ref(snapshot);
	return era;
}

void
era_free(struct era *era)
{
	if (era == NULL)
		return;
	snapshot_unref(era->snapshot);
	free(era);
}

static struct era *
era_find(const struct worker *w, const struct config *config)
{
	struct era *era;

	LIST_FOREACH(era, &w->eras, link)
		if (snapshot_config(era->snapshot) == config)
			return era;
	return NULL;
}

bool
era_is_known(const struct worker *w, const struct config *config)
{
	return era_find(w, config) != NULL;
}

struct snapshot *
era_snapshot(const struct worker *w, const struct config *config)
{
	struct era *era = era_find(w, config);

	return era == NULL ? NULL : snapshot_ref(era->snapshot);
}

static bool
era_have_upstream_at(const struct worker *w, size_t place)
{
	const struct era *era;

	LIST_FOREACH(era, &w->eras, link)
		if (config_upstream_at(snapshot_config(era->snapshot),
		    place) != NULL)
			return true;
	return false;
}

void
era_clear_places(struct worker *w, const struct config *config)
{
	for (size_t i = 0; i < config->nupstreams; i++) {
		size_t place = config->upstreams[i].index;

		if (era_have_upstream_at(w, place))
			continue;
		pool_unref(w->pools[place]);
		w->pools[place] = NULL;
	}
}

void
era_enter(struct worker *w, struct era *era)
{
	if (era_find(w, snapshot_config(era->snapshot)) != NULL)
		era_free(era);
	else
		LIST_INSERT_HEAD(&w->eras, era, link);
}

void
era_use(struct worker *w, const struct config *config)
{
	struct era *era = era_find(w, config);

	assert(era != NULL);
	era->users++;
}

static bool
era_is_over(const struct worker *w, const struct era *era)
{
	return era->users == 0 && era->snapshot != w->snapshot;
}

static void
era_end(struct era *era)
{
	LIST_REMOVE(era, link);
	era_free(era);
}

void
era_leave(struct worker *w, const struct config *config)
{
	struct era *era = era_find(w, config);

	assert(era != NULL && era->users > 0);
	era->users--;
	if (era_is_over(w, era))
		era_end(era);
}

void
era_sweep(struct worker *w)
{
	struct era *era, *next;

	for (era = LIST_FIRST(&w->eras); era != NULL; era = next) {
		next = LIST_NEXT(era, link);
		if (era_is_over(w, era))
			era_end(era);
	}
}

void
era_forget_all(struct worker *w)
{
	struct era *era;

	while ((era = LIST_FIRST(&w->eras)) != NULL) {
		LIST_REMOVE(era, link);
		era_free(era);
	}
}
