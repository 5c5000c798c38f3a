/* What operators say of servers: it holds for a name or an address until they
 * take it back, whoever has it then. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "servers.h"

#define BY_OPERATOR (SERVER_DISABLED | SERVER_DRAINING)

static unsigned
order_out(const struct server *s)
{
	return atomic_load_explicit(&s->state->out, memory_order_relaxed);
}

/* The next of the lines that have its address: names may give the same. */
static const struct server_conf *
server_line(const struct server *s, size_t *i)
{
	while (*i < s->set->count) {
		const struct endpoint *e = &s->set->endpoints[(*i)++];

		if (e->server == s->state)
			return &s->upstream->servers[e->line];
	}
	return NULL;
}

const struct change *
server_said(const struct server *s, enum change_kind kind)
{
	const struct change *said = NULL;
	const struct server_conf *line;
	size_t i = 0;

	while (said == NULL && (line = server_line(s, &i)) != NULL)
		said = changes_find(servers_changes(s->servers), s->upstream->name,
		    line->name, s->state->text, kind);
	return said;
}

void
server_heed(struct server *s)
{
	const struct change *said = server_said(s, CHANGE_STATE);
	unsigned out = said != NULL ? said->value : 0;
	char cause[SERVERS_CAUSE];

	if (said == NULL)
		snprintf(cause, sizeof(cause), "what was said of it was said "
		    "of another name");
	else
		snprintf(cause, sizeof(cause), "by %s", said->who);
	servers_change(s, out, BY_OPERATOR & ~out, cause);
}

/* What he did is undone, and nothing to be told any more. */
static void
server_set_out(struct server *s, unsigned out, unsigned clear,
    const char *cause)
{
	bool was = (order_out(s) & clear) != 0;

	servers_change(s, out, clear, cause);
	if (was && order_out(s) == 0)
		s->cause[0] = '\0';
}

static bool
upstream_has_line(const struct upstream_conf *upstream, const char *name)
{
	for (size_t i = 0; i < upstream->nservers; i++)
		if (strcmp(upstream->servers[i].name, name) == 0)
			return true;
	return false;
}

static bool
server_is_named(const struct server *s, const char *name, bool line)
{
	const struct server_conf *one;
	size_t i = 0;

	while (line && (one = server_line(s, &i)) != NULL)
		if (strcmp(one->name, name) == 0)
			return true;
	return !line && strcmp(s->state->text, name) == 0;
}

bool
server_has_name(const struct server *s, const char *name)
{
	return server_is_named(s, name, upstream_has_line(s->upstream, name));
}

/* Who is out for one of its names is out for all: the last word counts. */
static void
server_unsay(const struct server *s, enum change_kind kind)
{
	struct changes *changes = servers_changes(s->servers);
	const struct server_conf *line;
	size_t i = 0;

	changes_drop(changes, s->upstream->name, s->state->text, kind);
	while (kind == CHANGE_STATE && (line = server_line(s, &i)) != NULL)
		changes_drop(changes, s->upstream->name, line->name, kind);
}

/* A word for a name is one for all its addresses: what was said of them before
 * is over.  What the configuration says anyway is not noted, but for an address
 * whose name was told otherwise. */
static int
servers_note(struct servers *servers, const struct upstream_conf *upstream,
    const char *name, const struct change *change)
{
	bool line = upstream_has_line(upstream, name), found = line;
	bool is_news = change->value != 0;
	struct server *s = NULL;

	while ((s = servers_next(servers, upstream->index, s)) != NULL) {
		if (!server_is_named(s, name, line))
			continue;
		found = true;
		if (!line)
			changes_drop(servers_changes(servers), upstream->name,
			    s->state->text, change->kind);
		else
			server_unsay(s, change->kind);
		if (!line && server_said(s, change->kind) != NULL)
			is_news = true;
	}
	if (!found)
		return -ENOENT;
	if (is_news)
		return changes_set(servers_changes(servers), upstream->name, name,
		    change);
	changes_drop(servers_changes(servers), upstream->name, name, change->kind);
	return 0;
}

int
servers_set_out(struct servers *servers, const struct upstream_conf *upstream,
    const char *name, unsigned out, const char *who)
{
	struct change change = { .kind = CHANGE_STATE, .value = out,
		.at = clock_wall(), .since = clock_ms() };
	unsigned clear = out == 0 ? BY_OPERATOR | SERVER_EJECTED :
	    BY_OPERATOR & ~out;
	bool line = upstream_has_line(upstream, name);
	char cause[SERVERS_CAUSE];
	struct server *s = NULL;
	int error;

	snprintf(change.who, sizeof(change.who), "%s", who);
	error = servers_note(servers, upstream, name, &change);
	if (error < 0)
		return error;
	snprintf(cause, sizeof(cause), "by %s", who);
	while ((s = servers_next(servers, upstream->index, s)) != NULL)
		if (server_is_named(s, name, line))
			server_set_out(s, out, clear, cause);
	return 0;
}

int
servers_set_weight(struct servers *servers,
    const struct upstream_conf *upstream, const char *name, unsigned weight,
    const char *who)
{
	struct change change = { .kind = CHANGE_WEIGHT, .value = weight,
		.at = clock_wall(), .since = clock_ms() };

	snprintf(change.who, sizeof(change.who), "%s", who);
	return servers_note(servers, upstream, name, &change);
}
