#include "resolver.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/option.h"
#include "filewatch.h"
#include "names.h"
#include "proxy/balance.h"

#define SOON_MS	 20 /* for what is answered at nearly the same time */
#define RETRY_MS 1000
#define WEIGHT_MOST 1000

struct resolving {
	struct resolver		   *resolver;
	const struct upstream_conf *conf;
	struct names		   *names; /* NULL: it has none */
	struct event		    soon;  /* to publish what is known */
	struct endpoint_set	   *set;   /* told last; one reference */
	uint64_t		   *seen;  /* failures of each of its servers */
};

struct resolver {
	const struct config *config;
	struct crew	    *crew;
	struct dns	    *dns;
	struct filewatch    *files;
	struct servers	    *servers;
	size_t		     count;
	struct resolving     upstreams[];
};

/* What an address is to be in a set. */
struct share {
	const struct server_conf *conf;
	uint16_t		  port;
	uint32_t		  weight;
	bool			  backup;
};

static struct server_state *
resolver_find(const struct endpoint_set *set, const struct addr *addr)
{
	for (size_t i = 0; set != NULL && i < set->count; i++) {
		struct server_state *known = set->endpoints[i].server;

		if (addr_equal(&known->addr, addr))
			return server_state_ref(known);
	}
	return NULL;
}

/* An address keeps its counters, also when two names give it.  One that joins
 * others has come up just now. */
static struct server_state *
resolver_server(const struct resolving *u, const struct endpoint_set *set,
    const struct addr *addr)
{
	struct server_state *known = resolver_find(set, addr);

	if (known == NULL)
		known = resolver_find(u->set, addr);
	if (known != NULL)
		return known;
	known = server_state_new(addr);
	if (known != NULL && u->set != NULL && u->set->count > 0)
		known->up_since = clock_ms();
	return known;
}

/* An address of our own would have every session forwarded to us again. */
static bool
resolver_is_loop(const struct resolving *u, const struct addr *addr)
{
	const struct listener_conf *own;
	char text[ADDR_TEXT];

	own = config_own_listener(u->resolver->config, addr);
	if (own == NULL)
		return false;
	log_error(0, "upstream %s: %s is our own listener %s, not used",
	    u->conf->name, addr_text(addr, text), own->name);
	return true;
}

/* Addresses of the family that RFC 6724 puts first come first; those of the
 * other are for when these fail. */
static int
resolver_add(struct resolving *u, struct endpoint_set *set,
    const struct share *share, const struct addr *addrs, size_t count)
{
	const struct server_conf *conf = share->conf;

	for (size_t i = 0; i < count; i++) {
		struct endpoint *e = &set->endpoints[set->count];
		struct addr addr = addrs[i];

		addr_set_port(&addr, share->port);
		if (conf->host != NULL && resolver_is_loop(u, &addr))
			continue;
		e->server = resolver_server(u, set, &addr);
		if (e->server == NULL)
			return -ENOMEM;
		e->line = (uint32_t)(conf - u->conf->servers);
		e->weight = servers_weight(u->resolver->servers, u->conf, conf,
		    e->server, share->weight);
		e->max = conf->max_sessions != 0 ? conf->max_sessions :
		    u->conf->server_max_sessions;
		e->backup = share->backup ||
		    addr.sa.sa_family != addrs[0].sa.sa_family;
		set->count++;
	}
	return 0;
}

static void
resolver_why(struct endpoint_set *set, const struct name *name)
{
	if (name->why != NULL)
		snprintf(set->why, sizeof(set->why), "%.60s: %s", name->host,
		    name->why);
}

static int
resolver_add_host(struct resolving *u, struct endpoint_set *set,
    const struct share *share, const char *host)
{
	const struct name *name = names_find(u->names, DNS_ADDRESSES, host);

	if (name == NULL)
		return 0;
	resolver_why(set, name);
	return resolver_add(u, set, share, name->addrs, name->naddrs);
}

/* RFC 2782: the lowest priority serves, the others are for when that fails.
 * Weight 0 has the smallest chance that there is; what is over our own most is
 * scaled down. */
static struct share
resolver_share(const struct server_conf *conf, const struct name *name,
    const struct dns_service *service)
{
	uint32_t first = UINT16_MAX, most = 1, weight = service->weight;

	for (size_t i = 0; i < name->nservices; i++) {
		const struct dns_service *s = &name->services[i];

		first = s->priority < first ? s->priority : first;
		most = s->weight > most ? s->weight : most;
	}
	if (most > WEIGHT_MOST)
		weight = weight * WEIGHT_MOST / most;
	return (struct share){ .conf = conf, .port = service->port,
		.weight = weight > 0 ? weight : 1,
		.backup = conf->backup || service->priority > first };
}

static int
resolver_add_services(struct resolving *u, struct endpoint_set *set,
    const struct server_conf *conf)
{
	const struct name *name = names_find(u->names, DNS_SERVICES,
	    conf->host);
	int error = 0;

	if (name == NULL)
		return 0;
	for (size_t i = 0; error == 0 && i < name->nservices; i++) {
		struct share share = resolver_share(conf, name,
		    &name->services[i]);

		error = resolver_add_host(u, set, &share,
		    name->services[i].target);
	}
	resolver_why(set, name);
	return error;
}

static int
resolver_add_server(struct resolving *u, struct endpoint_set *set, size_t i)
{
	const struct server_conf *conf = &u->conf->servers[i];
	const struct share share = { .conf = conf, .port = conf->port,
		.weight = (uint32_t)conf->weight, .backup = conf->backup };

	if (conf->host == NULL)
		return resolver_add(u, set, &share, &conf->addr, 1);
	if (u->names == NULL)
		return 0;
	if (conf->srv)
		return resolver_add_services(u, set, conf);
	return resolver_add_host(u, set, &share, conf->host);
}

/* One for each numeric address; and for each use of a name all it has. */
static size_t
resolver_room(const struct resolving *u)
{
	const struct name *name, *target;
	size_t room = 0;

	for (size_t i = 0; i < u->conf->nservers; i++) {
		const struct server_conf *conf = &u->conf->servers[i];

		name = conf->host == NULL || u->names == NULL ? NULL :
		    names_find(u->names, conf->srv ? DNS_SERVICES :
		    DNS_ADDRESSES, conf->host);
		room += conf->host == NULL ? 1 : name == NULL ? 0 :
		    name->naddrs;
		for (size_t n = 0; name != NULL && n < name->nservices; n++) {
			target = names_find(u->names, DNS_ADDRESSES,
			    name->services[n].target);
			room += target == NULL ? 0 : target->naddrs;
		}
	}
	return room;
}

static struct endpoint_set *
resolver_build(struct resolving *u)
{
	struct endpoint_set *set = endpoint_set_new(u->conf->index,
	    resolver_room(u));
	int error = 0;

	if (set == NULL)
		return NULL;
	set->count = 0;
	for (size_t i = 0; error == 0 && i < u->conf->nservers; i++)
		error = resolver_add_server(u, set, i);
	if (error == 0)
		error = balance_prepare(set, u->conf);
	if (error == 0)
		return set;
	endpoint_set_unref(set);
	return NULL;
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

/* 0, or -ENOMEM: nobody was told, try again. */
static int
resolver_publish(struct resolving *u)
{
	struct endpoint_set *set = resolver_build(u);
	uint64_t *seen;

	if (set == NULL)
		return -ENOMEM;
	if (resolver_same(u->set, set)) {
		endpoint_set_unref(set);
		return 0;
	}
	seen = resolver_seen(set);
	if (seen == NULL || servers_follow(u->resolver->servers, set) < 0 ||
	    crew_tell_endpoints(u->resolver->crew, set) < 0) {
		endpoint_set_unref(set);
		free(seen);
		return -ENOMEM;
	}
	free(u->seen);
	u->seen = seen;
	if (u->set != NULL && set->count > 0 && endpoint_set_moved(u->set, set))
		log_info("upstream %s: now %zu address%s", u->conf->name,
		    set->count, set->count == 1 ? "" : "es");
	endpoint_set_unref(u->set);
	u->set = set;
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
static void
resolver_soon_event(evutil_socket_t fd, short what, void *arg)
{
	struct resolving *u = arg;

	(void)fd, (void)what;
	if (resolver_room(u) == 0 && !names_are_settled(u->names))
		return;
	if (resolver_publish(u) < 0)
		resolver_soon(u, RETRY_MS);
}

/* At once where sessions have no server meanwhile. */
static void
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
	struct resolver *r = arg;

	dns_reread(r->dns);
	for (size_t i = 0; i < r->count; i++)
		if (r->upstreams[i].names != NULL)
			names_renew(r->upstreams[i].names);
}

/* What needs no name is known now. */
static int
resolver_begin(struct resolver *r, struct event_base *base, size_t i)
{
	struct resolving *u = &r->upstreams[i];

	if (upstream_has_names(u->conf)) {
		u->names = names_new(base, r->dns, r->config, u->conf, false,
		    resolver_changed, u);
		if (u->names == NULL)
			return -ENOMEM;
	}
	resolver_soon_event(-1, 0, u);
	return 0;
}

/* Only a daemon with names looks at files. */
static int
resolver_open(struct resolver *r, struct event_base *base)
{
	static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts",
		"/etc/nsswitch.conf", NULL };
	bool names = false;

	for (size_t i = 0; i < r->count; i++)
		names |= upstream_has_names(&r->config->upstreams[i]);
	if (!names)
		return 0;
	r->dns = dns_new(base, r->config);
	r->files = filewatch_new(base, files, resolver_files_changed, r);
	return r->dns == NULL || r->files == NULL ? -ENOMEM : 0;
}

struct resolver *
resolver_new(struct event_base *base, const struct config *config,
    struct crew *crew, struct servers *servers)
{
	size_t count = config->nupstreams;
	struct resolver *r;
	int error;

	r = calloc(1, sizeof(*r) + count * sizeof(r->upstreams[0]));
	if (r == NULL)
		return NULL;
	r->config = config;
	r->crew = crew;
	r->servers = servers;
	r->count = count;
	for (size_t i = 0; i < count; i++) {
		struct resolving *u = &r->upstreams[i];

		u->resolver = r;
		u->conf = &config->upstreams[i];
		event_assign(&u->soon, base, -1, 0, resolver_soon_event, u);
	}
	error = resolver_open(r, base);
	for (size_t i = 0; error == 0 && i < count; i++)
		error = resolver_begin(r, base, i);
	if (error == 0)
		return r;
	resolver_free(r);
	return NULL;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++) {
		struct resolving *u = &r->upstreams[i];

		names_free(u->names);
		event_del(&u->soon);
		endpoint_set_unref(u->set);
		free(u->seen);
	}
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

void
resolver_look(struct resolver *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->upstreams[i].names != NULL)
			resolver_look_at(&r->upstreams[i]);
}

int
resolver_renew(struct resolver *r, size_t upstream)
{
	struct resolving *u = &r->upstreams[upstream];

	return u->set == NULL ? 0 : resolver_publish(u);
}

void
resolver_hurry(struct resolver *r, size_t upstream, const struct addr *addr)
{
	if (r->upstreams[upstream].names != NULL)
		names_hurry(r->upstreams[upstream].names, addr);
}
