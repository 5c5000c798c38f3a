/* From one configuration of upstreams to the next. */
#include <stdlib.h>

#include "base/log.h"
#include "base/rows.h"
#include "config/diff.h"
#include "config/places.h"
#include "resolver-internal.h"

int
resolver_grow(struct resolver *r, const struct config *config)
{
	int error = rows_grow(r->upstreams, sizeof(*r->upstreams),
	    config->upstream_places);

	for (; error == 0 && r->count < config->upstream_places; r->count++) {
		struct resolving *u = &r->upstreams[r->count];

		u->resolver = r;
		attic_init(&u->attic);
		event_assign(&u->soon, r->base, -1, 0, resolver_soon_event, u);
	}
	return error;
}

void
resolver_reread(struct resolver *r)
{
	dns_reread(r->dns, r->config);
	for (size_t i = 0; i < r->count; i++)
		if (r->upstreams[i].names != NULL)
			names_renew(r->upstreams[i].names);
}

bool
resolving_know_names(struct resolving *u)
{
	const struct upstream_conf *conf = resolving_conf(u);
	struct resolver *r = u->resolver;

	if (!u->names_old)
		return true;
	if (!upstream_has_names(conf)) {
		names_free(u->names);
		u->names = NULL;
	} else if (u->names != NULL) {
		if (!names_obey(u->names, r->config, conf))
			return false;
	} else if (resolver_open(r) < 0 || (u->names = names_new(r->base,
	    r->dns, r->config, conf, false, resolver_changed, u)) == NULL) {
		return false;
	}
	u->names_old = false;
	return true;
}

bool
resolver_is_behind(const struct resolver *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->upstreams[i].behind)
			return true;
	return false;
}

void
resolving_settle(struct resolving *u)
{
	if (u->next == NULL)
		return;
	snapshot_unref(u->snapshot);
	u->conf = u->next;
	u->snapshot = u->next_snapshot;
	u->next = NULL;
	u->next_snapshot = NULL;
}

/* It says the same as before, of which nothing is known anew.  Names that are
 * there already need no memory. */
static void
resolving_keep(struct resolving *u, const struct upstream_conf *conf,
    struct snapshot *snapshot)
{
	servers_keep(u->resolver->servers, conf);
	if (u->names != NULL && !names_obey(u->names, u->resolver->config,
	    conf))
		log_warn(0, "upstream %s: a name is not asked for",
		    conf->name);
	snapshot_unref(u->snapshot);
	u->conf = conf;
	u->snapshot = snapshot_ref(snapshot);
}

static void
resolving_begin(struct resolving *u, const struct upstream_conf *conf,
    struct snapshot *snapshot)
{
	snapshot_unref(u->next_snapshot);
	u->next = conf;
	u->next_snapshot = snapshot_ref(snapshot);
	u->names_old = true;
	if (u->conf == NULL) {
		u->conf = conf;
		u->snapshot = snapshot_ref(snapshot);
	}
	event_del(&u->soon);
	resolver_soon_event(-1, 0, u);
}

void
resolving_end(struct resolving *u)
{
	names_free(u->names);
	event_del(&u->soon);
	endpoint_set_unref(u->set);
	attic_done(&u->attic);
	free(u->seen);
	snapshot_unref(u->snapshot);
	snapshot_unref(u->next_snapshot);
	u->names = NULL;
	u->set = NULL;
	u->seen = NULL;
	u->conf = u->next = NULL;
	u->snapshot = u->next_snapshot = NULL;
	u->asked = u->names_old = u->behind = false;
}

static void
resolver_follow_at(struct resolver *r, size_t place, struct snapshot *snapshot)
{
	const struct upstream_conf *conf = config_upstream_at(r->config, place);
	struct resolving *u = &r->upstreams[place];

	if (conf == NULL && u->conf == NULL)
		return;
	if (conf == NULL) {
		servers_leave(r->servers, place);
		resolving_end(u);
	} else if (u->conf != NULL && u->next == NULL &&
	    upstream_conf_same(u->conf, conf)) {
		resolving_keep(u, conf, snapshot);
	} else {
		resolving_begin(u, conf, snapshot);
	}
}

static bool
resolver_asks_others(const struct config *a, const struct config *b)
{
	size_t n = a->global.ndns_servers;

	if (n != b->global.ndns_servers)
		return true;
	while (n > 0 && addr_equal(&a->global.dns_servers[n - 1],
	    &b->global.dns_servers[n - 1]))
		n--;
	return n > 0;
}

void
resolver_follow(struct resolver *r, struct snapshot *snapshot)
{
	const struct config *before = r->config;

	r->config = snapshot_config(snapshot);
	if (r->dns != NULL && resolver_asks_others(before, r->config))
		resolver_reread(r);
	for (size_t i = 0; i < r->count; i++)
		resolver_follow_at(r, i, snapshot);
}
