#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rows.h"
#include "gather.h"
#include "moves.h"
#include "proxy/waitlist.h"
#include "resolver-internal.h"

#define SOON_MS	 20 /* for what is answered at nearly the same time */
#define RETRY_MS 1000

static struct gathering
resolver_gathering(const struct resolving *u)
{
	return (struct gathering){ .config = u->resolver->config,
		.conf = resolving_conf(u), .names = u->names,
		.servers = u->resolver->servers, .set = u->set,
		.attic = &u->attic, .anew = u->next != NULL };
}

static size_t
resolver_count(const struct endpoint_set *set, const struct endpoint *e)
{
	size_t count = 0;

	for (size_t i = 0; i < set->count; i++)
		if (set->endpoints[i].server == e->server &&
		    set->endpoints[i].weight == e->weight &&
		    set->endpoints[i].backup == e->backup)
			count++;
	return count;
}

/* Name servers rotate their answers: the order says nothing. */
static bool
resolver_same(const struct endpoint_set *a, const struct endpoint_set *b)
{
	if (a == NULL || a->count != b->count)
		return false;
	for (size_t i = 0; i < b->count; i++)
		if (resolver_count(a, &b->endpoints[i]) !=
		    resolver_count(b, &b->endpoints[i]))
			return false;
	return true;
}

/* That there is still none is one, too, for sessions that wait for it. */
static bool
resolver_is_answer(const struct resolving *u)
{
	return u->asked && u->set->count == 0 && !names_are_owed(u->names);
}

static uint64_t
resolver_failures(const struct endpoint *e)
{
	return atomic_load_explicit(&e->server->failures,
	    memory_order_relaxed);
}

/* What failed so far is no reason to ask: there was an answer since. */
static uint64_t *
resolver_seen(const struct endpoint_set *set)
{
	uint64_t *seen = calloc(set->count + 1, sizeof(*seen));

	for (size_t i = 0; seen != NULL && i < set->count; i++)
		seen[i] = resolver_failures(&set->endpoints[i]);
	return seen;
}

static void
resolver_say(const struct resolving *u, const struct endpoint_set *set)
{
	char moves[MOVES_TEXT];

	log_info("upstream %s: now %zu address%s%s", u->conf->name, set->count,
	    set->count == 1 ? "" : "es", moves_text(u->set, set, moves));
}

/* 0, or -ENOMEM: nobody was told, try again. */
static int
resolver_publish(struct resolving *u)
{
	struct gathering gathering = resolver_gathering(u);
	struct endpoint_set *set = gather_build(&gathering);
	uint64_t *seen;

	if (set == NULL)
		return -ENOMEM;
	if (u->next == NULL && resolver_same(u->set, set) &&
	    !resolver_is_answer(u)) {
		endpoint_set_unref(set);
		return 0;
	}
	seen = resolver_seen(set);
	u->behind = true;
	if (seen == NULL || servers_follow(u->resolver->servers,
	    resolving_conf(u), set) < 0 ||
	    crew_tell_endpoints(u->resolver->crew, set) < 0) {
		endpoint_set_unref(set);
		free(seen);
		return -ENOMEM;
	}
	free(u->seen);
	u->seen = seen;
	u->behind = false;
	u->asked = false;
	if (u->set != NULL && set->count > 0 && endpoint_set_moved(u->set, set))
		resolver_say(u, set);
	attic_follow(&u->attic, u->set, set);
	endpoint_set_unref(u->set);
	u->set = set;
	resolving_settle(u);
	return 0;
}

static void
resolver_soon(struct resolving *u, unsigned ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (!event_pending(&u->soon, EV_TIMEOUT, NULL) &&
	    event_add(&u->soon, &tv) < 0)
		log_error(-ENOMEM, "upstream %s: its addresses are not told",
		    u->conf->name);
}

/* What needs a name is waited for (in ROUTE) until there is an address, or none
 * to hope for. */
void
resolver_soon_event(evutil_socket_t fd, short what, void *arg)
{
	struct resolving *u = arg;
	struct gathering gathering;

	(void)fd, (void)what;
	if (!resolving_know_names(u)) {
		resolver_soon(u, RETRY_MS);
		return;
	}
	gathering = resolver_gathering(u);
	if (gather_room(&gathering) == 0 && !names_are_settled(u->names))
		return;
	if (resolver_publish(u) < 0)
		resolver_soon(u, RETRY_MS);
}

/* At once where sessions have no server meanwhile. */
void
resolver_changed(void *arg)
{
	struct resolving *u = arg;

	if (u->set == NULL || u->set->count == 0)
		resolver_soon_event(-1, 0, u);
	else
		resolver_soon(u, SOON_MS);
}

/* Both are small, local and read anew by whoever asks. */
static void
resolver_files_changed(void *arg)
{
	resolver_reread(arg);
}

/* Only a daemon with names looks at files. */
int
resolver_open(struct resolver *r)
{
	static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts",
		"/etc/nsswitch.conf", NULL };
	bool names = false;

	for (size_t i = 0; i < r->config->nupstreams; i++)
		names |= upstream_has_names(&r->config->upstreams[i]);
	if (names && r->dns == NULL)
		r->dns = dns_new(r->base, r->config);
	if (r->dns != NULL && r->files == NULL)
		r->files = filewatch_new(r->base, files,
		    resolver_files_changed, r);
	return names && (r->dns == NULL || r->files == NULL) ? -ENOMEM : 0;
}

struct resolver *
resolver_new(struct event_base *base, struct snapshot *snapshot,
    struct crew *crew, struct servers *servers)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->base = base;
	r->config = snapshot_config(snapshot);
	r->crew = crew;
	r->servers = servers;
	r->upstreams = rows_new(sizeof(*r->upstreams), 0);
	if (r->upstreams != NULL && resolver_grow(r, r->config) == 0 &&
	    resolver_open(r) == 0) {
		resolver_follow(r, snapshot);
		return r;
	}
	resolver_free(r);
	return NULL;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++)
		resolving_end(&r->upstreams[i]);
	rows_free(r->upstreams, sizeof(*r->upstreams));
	filewatch_free(r->files);
	dns_free(r->dns);
	free(r);
}

const struct endpoint_set *
resolver_endpoints(const struct resolver *r, size_t upstream)
{
	return r->upstreams[upstream].set;
}

const struct names *
resolver_names(const struct resolver *r, size_t upstream)
{
	return r->upstreams[upstream].names;
}

static void
resolver_look_at(struct resolving *u)
{
	for (size_t i = 0; u->set != NULL && i < u->set->count; i++) {
		const struct endpoint *e = &u->set->endpoints[i];
		uint64_t failures = resolver_failures(e);

		if (failures != u->seen[i])
			names_hurry(u->names, &e->server->addr);
		u->seen[i] = failures;
	}
}

/* Sessions wait for an address. */
static void
resolver_ask(struct resolving *u)
{
	struct waitlist *waits = crew_shared(u->resolver->crew)->waits;

	if (!atomic_exchange(&waits[u->conf->index].nameless, false) ||
	    u->set == NULL || u->set->count > 0)
		return;
	u->asked = true;
	names_owe(u->names);
}

void
resolver_look(struct resolver *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->upstreams[i].names != NULL) {
			resolver_look_at(&r->upstreams[i]);
			resolver_ask(&r->upstreams[i]);
		}
}

int
resolver_renew(struct resolver *r, size_t upstream)
{
	struct resolving *u = &r->upstreams[upstream];

	return u->set == NULL || u->next != NULL ? 0 : resolver_publish(u);
}

void
resolver_hurry(struct resolver *r, size_t upstream, const struct addr *addr)
{
	if (r->upstreams[upstream].names != NULL)
		names_hurry(r->upstreams[upstream].names, addr);
}
