#include "changes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void
change_free(struct change *c)
{
	free(c->upstream);
	free(c->server);
	free(c);
}

static struct change *
change_new(const char *upstream, const char *server, const struct change *from)
{
	struct change *c = malloc(sizeof(*c));

	if (c == NULL)
		return NULL;
	*c = *from;
	c->upstream = strdup(upstream);
	c->server = strdup(server);
	if (c->upstream != NULL && c->server != NULL)
		return c;
	change_free(c);
	return NULL;
}

void
changes_init(struct changes *changes)
{
	TAILQ_INIT(changes);
}

void
changes_done(struct changes *changes)
{
	struct change *c;

	while ((c = TAILQ_FIRST(changes)) != NULL) {
		TAILQ_REMOVE(changes, c, link);
		change_free(c);
	}
}

static struct change *
changes_of(const struct changes *changes, const char *upstream,
    const char *server, enum change_kind kind)
{
	struct change *c;

	TAILQ_FOREACH(c, changes, link)
		if (c->kind == kind && strcmp(c->upstream, upstream) == 0 &&
		    strcmp(c->server, server) == 0)
			return c;
	return NULL;
}

int
changes_set(struct changes *changes, const char *upstream, const char *server,
    const struct change *change)
{
	struct change *c = change_new(upstream, server, change);

	if (c == NULL)
		return -ENOMEM;
	changes_drop(changes, upstream, server, c->kind);
	TAILQ_INSERT_TAIL(changes, c, link);
	return 0;
}

void
changes_drop(struct changes *changes, const char *upstream, const char *server,
    enum change_kind kind)
{
	struct change *c = changes_of(changes, upstream, server, kind);

	if (c == NULL)
		return;
	TAILQ_REMOVE(changes, c, link);
	change_free(c);
}

const struct change *
changes_find(const struct changes *changes, const char *upstream,
    const char *server, const char *address, enum change_kind kind)
{
	const struct change *c = changes_of(changes, upstream, address, kind);

	return c != NULL ? c : changes_of(changes, upstream, server, kind);
}
