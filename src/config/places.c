#include "config/places.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The listeners of a configuration, or its upstreams. */
struct table {
	char  *rows;
	size_t count;
	size_t size;
	size_t name, index; /* where they are in a row */
};

struct places {
	const char **names; /* by place; NULL: it is free */
	size_t	     room;
	size_t	     count; /* all names are below */
};

static struct table
table_of_listeners(const struct config *config)
{
	return (struct table){ (char *)config->listeners, config->nlisteners,
		sizeof(struct listener_conf),
		offsetof(struct listener_conf, name),
		offsetof(struct listener_conf, index) };
}

static struct table
table_of_upstreams(const struct config *config)
{
	return (struct table){ (char *)config->upstreams, config->nupstreams,
		sizeof(struct upstream_conf),
		offsetof(struct upstream_conf, name),
		offsetof(struct upstream_conf, index) };
}

static const char *
table_name(const struct table *t, size_t i)
{
	char *const *name = (void *)(t->rows + i * t->size + t->name);

	return *name;
}

static size_t *
table_index(const struct table *t, size_t i)
{
	return (void *)(t->rows + i * t->size + t->index);
}

static void
places_take(struct places *p, size_t at, const char *name)
{
	p->names[at] = name;
	if (at >= p->count)
		p->count = at + 1;
}

/* Its own, or the lowest that is free; the number of all: there is no more. */
static size_t
places_find(const struct places *p, const char *name)
{
	size_t free_one = p->room;

	for (size_t i = p->count; i-- > 0;)
		if (p->names[i] == NULL)
			free_one = i;
		else if (strcmp(p->names[i], name) == 0)
			return i;
	return free_one == p->room ? p->count : free_one;
}

static void
places_keep(struct places *p, const struct table *live)
{
	for (size_t i = 0; i < live->count; i++)
		places_take(p, *table_index(live, i), table_name(live, i));
}

static int
places_give(struct places *p, const struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t at = places_find(p, table_name(t, i));

		if (at == p->room)
			return -E2BIG;
		places_take(p, at, table_name(t, i));
		*table_index(t, i) = at;
	}
	return 0;
}

/* 0 or -errno. */
static int
places_fill(struct table (*table_of)(const struct config *),
    const struct config *config, const struct config *const *live,
    size_t nlive, size_t room, size_t *count)
{
	struct places p = { calloc(room, sizeof(*p.names)), room, 0 };
	struct table table = table_of(config);
	int error;

	if (p.names == NULL)
		return -ENOMEM;
	for (size_t n = 0; n < nlive; n++) {
		struct table kept = table_of(live[n]);

		places_keep(&p, &kept);
	}
	error = places_give(&p, &table);
	*count = p.count;
	free(p.names);
	return error;
}

int
config_places(struct config *config, const struct config *const *live,
    size_t nlive, size_t room)
{
	int error = places_fill(table_of_listeners, config, live, nlive, room,
	    &config->listener_places);

	return error < 0 ? error : places_fill(table_of_upstreams, config,
	    live, nlive, room, &config->upstream_places);
}

const struct listener_conf *
config_listener_at(const struct config *config, size_t place)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (config->listeners[i].index == place)
			return &config->listeners[i];
	return NULL;
}

const struct upstream_conf *
config_upstream_at(const struct config *config, size_t place)
{
	for (size_t i = 0; i < config->nupstreams; i++)
		if (config->upstreams[i].index == place)
			return &config->upstreams[i];
	return NULL;
}

const struct listener_conf *
config_listener_named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		if (strcmp(config->listeners[i].name, name) == 0)
			return &config->listeners[i];
	return NULL;
}

const struct upstream_conf *
config_upstream_named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nupstreams; i++)
		if (strcmp(config->upstreams[i].name, name) == 0)
			return &config->upstreams[i];
	return NULL;
}
