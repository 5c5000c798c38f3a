#include "servers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/human.h"
#include "base/log.h"
#include "doors.h"
#include "evict.h"
#include "health.h"
#include "proxy/waitlist.h"

#define BY_OPERATOR (SERVER_DISABLED | SERVER_DRAINING)

TAILQ_HEAD(server_list, server);

struct servers {
	struct event_base   *base;
	const struct config *config;
	struct tours	    *tours; /* NULL: nobody is ended */
	struct doors	    *doors; /* NULL: all stay open */
	struct waitlist	    *waits; /* by upstream; NULL: nobody waits */
	servers_missed	    *missed; /* NULL: nobody is told */
	void		    *missed_arg;
	struct changes	     changes;
	struct server_list   upstreams[]; /* by index in the config */
};

static unsigned
server_out(const struct server *s)
{
	return atomic_load_explicit(&s->state->out, memory_order_relaxed);
}

struct servers *
servers_new(struct event_base *base, const struct config *config,
    struct waitlist *waits)
{
	struct servers *servers;

	servers = calloc(1, sizeof(*servers) +
	    config->nupstreams * sizeof(servers->upstreams[0]));
	if (servers == NULL)
		return NULL;
	servers->base = base;
	servers->config = config;
	servers->waits = waits;
	changes_init(&servers->changes);
	for (size_t i = 0; i < config->nupstreams; i++)
		TAILQ_INIT(&servers->upstreams[i]);
	return servers;
}

void
servers_set_tours(struct servers *servers, struct tours *tours)
{
	servers->tours = tours;
}

void
servers_set_doors(struct servers *servers, struct doors *doors)
{
	servers->doors = doors;
}

void
servers_set_missed(struct servers *servers, servers_missed *missed, void *arg)
{
	servers->missed = missed;
	servers->missed_arg = arg;
}

void
server_miss(const struct server *s)
{
	if (s->servers->missed != NULL)
		s->servers->missed(s->servers->missed_arg, s);
}

static void
server_forget(struct server *s)
{
	health_end(s);
	eject_end(s);
	evict_end(s);
	TAILQ_REMOVE(&s->servers->upstreams[s->upstream->index], s, link);
	server_state_unref(s->state);
	endpoint_set_unref(s->set);
	free(s);
}

void
servers_free(struct servers *servers)
{
	struct server *s;

	if (servers == NULL)
		return;
	for (size_t i = 0; i < servers->config->nupstreams; i++)
		while ((s = TAILQ_FIRST(&servers->upstreams[i])) != NULL)
			server_forget(s);
	changes_done(&servers->changes);
	free(servers);
}

struct server *
servers_next(const struct servers *servers, size_t upstream,
    const struct server *s)
{
	return s == NULL ? TAILQ_FIRST(&servers->upstreams[upstream]) :
	    TAILQ_NEXT(s, link);
}

struct server *
servers_find(const struct servers *servers, size_t upstream,
    const struct server_state *state)
{
	struct server *s = NULL;

	while ((s = servers_next(servers, upstream, s)) != NULL)
		if (s->state == state)
			return s;
	return NULL;
}

size_t
servers_up(const struct servers *servers, size_t upstream, size_t *all)
{
	struct server *s = NULL;
	size_t up = 0;

	*all = 0;
	while ((s = servers_next(servers, upstream, s)) != NULL) {
		++*all;
		up += server_out(s) == 0;
	}
	return up;
}

/* --- changes */

/* Its sessions may fare well while it is ejected or drained. */
static void
server_judge_sessions(struct server *s)
{
	if (server_state_is_down(s->state))
		evict_begin(s, s->servers->base, s->servers->tours,
		    s->servers->config->global.drain_timeout);
	else
		evict_end(s);
}

/* An ejected server is better than none. */
static void
servers_save(struct servers *servers, size_t upstream)
{
	struct server *s = NULL;
	size_t all;

	if (servers_up(servers, upstream, &all) > 0)
		return;
	while ((s = servers_next(servers, upstream, s)) != NULL)
		if (server_out(s) == SERVER_EJECTED)
			servers_change(s, 0, SERVER_EJECTED, "no other server "
			    "is up");
}

void
servers_change(struct server *s, unsigned set, unsigned clear,
    const char *cause)
{
	unsigned old = server_out(s), out = (old & ~clear) | set;
	uint64_t now = clock_ms(), spell = now - s->since;

	if (out == old)
		return;
	if ((old & clear & SERVER_EJECTED) != 0)
		eject_over(s);
	if (out == 0)
		atomic_store_explicit(&s->state->up_since, now,
		    memory_order_relaxed);
	atomic_store(&s->state->out, out); /* before waitlist_wake() looks */
	if (out == 0 && s->servers->waits != NULL)
		waitlist_wake(&s->servers->waits[s->upstream->index]);
	snprintf(s->cause, sizeof(s->cause), "%s", cause);
	for (size_t i = 0; i < SERVERS_OUTS; i++)
		if ((out & ~old & servers_out_bits(i)) != 0)
			snprintf(s->causes[i], sizeof(s->causes[i]), "%s",
			    cause);
	if ((old == 0) != (out == 0)) {
		s->changes++;
		s->since = now;
	}
	server_log(s, out & ~old, out, spell);
	server_judge_sessions(s);
	if (out != 0)
		servers_save(s->servers, s->upstream->index);
	if ((old == 0) != (out == 0) && s->servers->doors != NULL)
		doors_look(s->servers->doors, s->upstream->index);
}

/* --- who there is */

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

static const struct change *
server_said(const struct server *s, enum change_kind kind)
{
	const struct change *said = NULL;
	const struct server_conf *line;
	size_t i = 0;

	while (said == NULL && (line = server_line(s, &i)) != NULL)
		said = changes_find(&s->servers->changes, s->upstream->name,
		    line->name, s->state->text, kind);
	return said;
}

/* What an operator said before it came holds at once, and is no news; what was
 * found out of one that has been here before is over. */
static int
server_meet(struct servers *servers, struct endpoint_set *set,
    const struct endpoint *e)
{
	struct server *s = calloc(1, sizeof(*s));
	const struct change *said;

	if (s == NULL)
		return -ENOMEM;
	s->servers = servers;
	s->upstream = &servers->config->upstreams[set->upstream];
	s->line = &s->upstream->servers[e->line];
	s->state = server_state_ref(e->server);
	s->set = endpoint_set_ref(set);
	s->since = clock_ms();
	s->follows = true;
	TAILQ_INSERT_TAIL(&servers->upstreams[set->upstream], s, link);
	said = server_said(s, CHANGE_STATE);
	if (said != NULL)
		snprintf(s->causes[OUT_BY_OPERATOR],
		    sizeof(s->causes[OUT_BY_OPERATOR]), "by %s", said->who);
	atomic_store_explicit(&s->state->out, said != NULL ? said->value : 0,
	    memory_order_relaxed);
	atomic_store_explicit(&s->state->row, 0, memory_order_relaxed);
	eject_begin(s, servers->base);
	return health_begin(s, servers->base);
}

static void
servers_sweep(struct servers *servers, struct endpoint_set *set)
{
	struct server *s, *next;

	s = servers_next(servers, set->upstream, NULL);
	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, link);
		if (!s->follows) {
			server_forget(s);
			continue;
		}
		endpoint_set_unref(s->set);
		s->set = endpoint_set_ref(set);
	}
}

int
servers_follow(struct servers *servers, struct endpoint_set *set)
{
	struct server *s = NULL;
	int error = 0;

	while ((s = servers_next(servers, set->upstream, s)) != NULL)
		s->follows = false;
	for (size_t i = 0; error == 0 && i < set->count; i++) {
		const struct endpoint *e = &set->endpoints[i];

		s = servers_find(servers, set->upstream, e->server);
		if (s == NULL)
			error = server_meet(servers, set, e);
		else
			s->follows = true;
	}
	if (error < 0)
		return error;
	servers_sweep(servers, set);
	if (set->count > 0 && servers->doors != NULL)
		doors_look(servers->doors, set->upstream);
	return 0;
}

uint32_t
servers_weight(const struct servers *servers,
    const struct upstream_conf *upstream, const struct server_conf *line,
    const struct server_state *state, uint32_t weight)
{
	const struct change *said = changes_find(&servers->changes,
	    upstream->name, line->name, state->text, CHANGE_WEIGHT);

	return said != NULL && said->value != 0 ? said->value : weight;
}

/* --- what operators say */

/* What he did is undone, and nothing to be told any more. */
static void
server_set_out(struct server *s, unsigned out, unsigned clear,
    const char *cause)
{
	bool was = (server_out(s) & clear) != 0;

	servers_change(s, out, clear, cause);
	if (was && server_out(s) == 0)
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

/* Who is out for one of its names is out for all: the last word counts. */
static void
server_unsay(const struct server *s, enum change_kind kind)
{
	struct changes *changes = &s->servers->changes;
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
			changes_drop(&servers->changes, upstream->name,
			    s->state->text, change->kind);
		else
			server_unsay(s, change->kind);
		if (!line && server_said(s, change->kind) != NULL)
			is_news = true;
	}
	if (!found)
		return -ENOENT;
	if (is_news)
		return changes_set(&servers->changes, upstream->name, name,
		    change);
	changes_drop(&servers->changes, upstream->name, name, change->kind);
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

struct changes *
servers_changes(struct servers *servers)
{
	return &servers->changes;
}
