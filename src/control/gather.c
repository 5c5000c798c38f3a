#include "gather.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/option.h"
#include "proxy/balance.h"

#define WEIGHT_MOST 1000

/* What an address is to be in a set. */
struct share {
	const struct server_conf *conf;
	uint16_t		  port;
	uint32_t		  weight;
	bool			  backup;
};

static struct server_state *
gather_find(const struct endpoint_set *set, const struct addr *addr)
{
	for (size_t i = 0; set != NULL && i < set->count; i++) {
		struct server_state *known = set->endpoints[i].server;

		if (addr_equal(&known->addr, addr))
			return server_state_ref(known);
	}
	return NULL;
}

static struct server_state *
gather_new(const struct server_conf *conf, const struct addr *addr)
{
	struct server_state *server = server_state_new(addr);

	if (server != NULL)
		server_state_name(server, conf);
	return server;
}

/* The name= is for good, since workers read it: a configuration that gives
 * another has another server. */
static struct server_state *
gather_again(const struct gathering *g, const struct server_conf *conf,
    const struct addr *addr)
{
	struct server_state *known = gather_find(g->set, addr);

	if (known == NULL || !g->anew || server_state_is_named(known, conf))
		return known;
	server_state_unref(known);
	return NULL;
}

static struct server_state *
gather_old(const struct gathering *g, const struct server_conf *conf,
    const struct addr *addr)
{
	struct server_state *known = attic_find(g->attic, addr);

	return known != NULL && server_state_is_named(known, conf) ?
	    server_state_ref(known) : gather_new(conf, addr);
}

/* An address keeps its counters, also when two names give it.  One that joins
 * others has come up just now. */
static struct server_state *
gather_server(const struct gathering *g, const struct endpoint_set *set,
    const struct server_conf *conf, const struct addr *addr)
{
	struct server_state *known = gather_find(set, addr);

	if (known == NULL)
		known = gather_again(g, conf, addr);
	if (known != NULL)
		return known;
	known = gather_old(g, conf, addr);
	if (known != NULL && g->set != NULL && g->set->count > 0)
		known->up_since = clock_ms();
	return known;
}

/* An address of our own would have every session forwarded to us again. */
static bool
gather_is_loop(const struct gathering *g, const struct addr *addr)
{
	const struct listener_conf *own;
	char text[ADDR_TEXT];

	own = config_own_listener(g->config, addr);
	if (own == NULL)
		return false;
	log_error(0, "upstream %s: %s is our own listener %s, not used",
	    g->conf->name, addr_text(addr, text), own->name);
	return true;
}

/* Addresses of the family that RFC 6724 puts first come first; those of the
 * other are for when these fail. */
static int
gather_add(const struct gathering *g, struct endpoint_set *set,
    const struct share *share, const struct addr *addrs, size_t count)
{
	const struct server_conf *conf = share->conf;
	uint32_t host = (uint32_t)set->count;

	for (size_t i = 0; i < count; i++) {
		struct endpoint *e = &set->endpoints[set->count];
		struct addr addr = addrs[i];

		addr_set_port(&addr, share->port);
		if (conf->host != NULL && gather_is_loop(g, &addr))
			continue;
		e->server = gather_server(g, set, conf, &addr);
		if (e->server == NULL)
			return -ENOMEM;
		e->line = (uint32_t)(conf - g->conf->servers);
		e->host = host;
		e->weight = servers_weight(g->servers, g->conf, conf,
		    e->server, share->weight);
		e->max = conf->max_sessions != 0 ? conf->max_sessions :
		    g->conf->server_max_sessions;
		e->backup = share->backup ||
		    addr.sa.sa_family != addrs[0].sa.sa_family;
		set->count++;
	}
	return 0;
}

static void
gather_why(struct endpoint_set *set, const struct name *name)
{
	if (name->why != NULL)
		snprintf(set->why, sizeof(set->why), "%.60s: %s", name->host,
		    name->why);
}

static int
gather_add_host(const struct gathering *g, struct endpoint_set *set,
    const struct share *share, const char *host)
{
	const struct name *name = names_find(g->names, DNS_ADDRESSES, host);

	if (name == NULL)
		return 0;
	gather_why(set, name);
	return gather_add(g, set, share, name->addrs, name->naddrs);
}

/* RFC 2782: the lowest priority serves, the others are for when that fails.
 * Weight 0 has the smallest chance that there is; what is over our own most is
 * scaled down. */
static struct share
gather_share(const struct server_conf *conf, const struct name *name,
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
gather_add_services(const struct gathering *g, struct endpoint_set *set,
    const struct server_conf *conf)
{
	const struct name *name = names_find(g->names, DNS_SERVICES,
	    conf->host);
	int error = 0;

	if (name == NULL)
		return 0;
	for (size_t i = 0; error == 0 && i < name->nservices; i++) {
		struct share share = gather_share(conf, name,
		    &name->services[i]);

		error = gather_add_host(g, set, &share,
		    name->services[i].target);
	}
	gather_why(set, name);
	return error;
}

static int
gather_add_server(const struct gathering *g, struct endpoint_set *set, size_t i)
{
	const struct server_conf *conf = &g->conf->servers[i];
	const struct share share = { .conf = conf, .port = conf->port,
		.weight = (uint32_t)conf->weight, .backup = conf->backup };

	if (conf->host == NULL)
		return gather_add(g, set, &share, &conf->addr, 1);
	if (g->names == NULL)
		return 0;
	if (conf->srv)
		return gather_add_services(g, set, conf);
	return gather_add_host(g, set, &share, conf->host);
}

/* One for each numeric address; and for each use of a name all it has. */
size_t
gather_room(const struct gathering *g)
{
	const struct name *name, *target;
	size_t room = 0;

	for (size_t i = 0; i < g->conf->nservers; i++) {
		const struct server_conf *conf = &g->conf->servers[i];

		name = conf->host == NULL || g->names == NULL ? NULL :
		    names_find(g->names, conf->srv ? DNS_SERVICES :
		    DNS_ADDRESSES, conf->host);
		room += conf->host == NULL ? 1 : name == NULL ? 0 :
		    name->naddrs;
		for (size_t n = 0; name != NULL && n < name->nservices; n++) {
			target = names_find(g->names, DNS_ADDRESSES,
			    name->services[n].target);
			room += target == NULL ? 0 : target->naddrs;
		}
	}
	return room;
}

struct endpoint_set *
gather_build(const struct gathering *g)
{
	struct endpoint_set *set = endpoint_set_new(g->conf->index,
	    gather_room(g));
	int error = 0;

	if (set == NULL)
		return NULL;
	set->count = 0;
	for (size_t i = 0; error == 0 && i < g->conf->nservers; i++)
		error = gather_add_server(g, set, i);
	if (error == 0)
		error = balance_prepare(set, g->conf);
	if (error == 0)
		return set;
	endpoint_set_unref(set);
	return NULL;
}
