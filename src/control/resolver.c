#include "resolver.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/option.h"
#include "lookup.h"
#include "proxy/balance.h"

#define REFRESH_S	30
#define RETRY_FIRST_S	1
#define RETRY_LAST_S	30

struct resolving {
	struct resolver		   *resolver;
	const struct upstream_conf *conf;
	struct event		    timer;
	struct endpoint_set	   *set;  /* told last; one reference */
	struct lookup		   *last; /* answers in use; NULL: none */
	bool			    failing; /* and that was said */
	unsigned		    retry_s;
};

struct resolver {
	const struct config *config;
	struct crew	    *crew;
	struct servers	    *servers;
	struct box	    *box;
	struct event	     box_event;
	size_t		     count;
	struct resolving     upstreams[];
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

/* An address keeps its counters, also when two names give it. */
static struct server_state *
resolver_server(const struct resolving *u, const struct endpoint_set *set,
    const struct addr *addr)
{
	struct server_state *known = resolver_find(set, addr);

	if (known == NULL)
		known = resolver_find(u->set, addr);
	return known != NULL ? known : server_state_new(addr);
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

/* Addresses of the family that getaddrinfo(3) put first (RFC 6724) come first;
 * those of the other are for when these fail. */
static int
resolver_add(struct resolving *u, struct endpoint_set *set,
    const struct server_conf *conf, const struct addr *addrs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct endpoint *e = &set->endpoints[set->count];

		if (conf->host != NULL && resolver_is_loop(u, &addrs[i]))
			continue;
		e->server = resolver_server(u, set, &addrs[i]);
		if (e->server == NULL)
			return -ENOMEM;
		e->line = (uint32_t)(conf - u->conf->servers);
		e->weight = servers_weight(u->resolver->servers, u->conf, conf,
		    e->server, (uint32_t)conf->weight);
		e->backup = conf->backup ||
		    addrs[i].sa.sa_family != addrs[0].sa.sa_family;
		set->count++;
	}
	return 0;
}

static size_t
resolver_room(const struct resolving *u)
{
	size_t room = 0;

	for (size_t i = 0; i < u->conf->nservers; i++)
		room += u->conf->servers[i].host == NULL || u->last == NULL ?
		    1 : u->last->answers[i].count;
	return room;
}

static int
resolver_add_server(struct resolving *u, struct endpoint_set *set, size_t i)
{
	const struct server_conf *conf = &u->conf->servers[i];
	const struct lookup_answer *answer;

	if (conf->host == NULL)
		return resolver_add(u, set, conf, &conf->addr, 1);
	if (u->last == NULL)
		return 0;
	answer = &u->last->answers[i];
	if (answer->error != 0)
		snprintf(set->why, sizeof(set->why), "%.60s: %s", conf->host,
		    gai_strerror(answer->error));
	return resolver_add(u, set, conf, answer->addrs, answer->count);
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

/* 0, or -ENOMEM: nobody was told, try again. */
static int
resolver_publish(struct resolving *u)
{
	struct endpoint_set *set = resolver_build(u);

	if (set == NULL)
		return -ENOMEM;
	if (resolver_same(u->set, set)) {
		endpoint_set_unref(set);
		return 0;
	}
	if (servers_follow(u->resolver->servers, set) < 0 ||
	    crew_tell_endpoints(u->resolver->crew, set) < 0) {
		endpoint_set_unref(set);
		return -ENOMEM;
	}
	if (u->set != NULL && u->set->count != set->count && set->count > 0)
		log_info("upstream %s: now %zu address%s", u->conf->name,
		    set->count, set->count == 1 ? "" : "es");
	endpoint_set_unref(u->set);
	u->set = set;
	return 0;
}

/* A name that fails now keeps the addresses it had. */
static void
resolver_keep_good(struct resolving *u, struct lookup *lookup, size_t i)
{
	struct lookup_answer *new = &lookup->answers[i], *old;
	char place[CONFIG_PLACE];

	if (!u->failing)
		log_warn(0, "%s: upstream %s: cannot resolve '%s': %s; "
		    "trying again", config_place(u->resolver->config,
		    u->conf->servers[i].origin, place), u->conf->name,
		    lookup->hosts[i], gai_strerror(new->error));
	if (u->last == NULL)
		return;
	old = &u->last->answers[i];
	new->addrs = old->addrs;
	new->count = old->count;
	*old = (struct lookup_answer){ 0 };
}

/* Whether every name was answered.  Trouble is spoken of once, and its end. */
static bool
resolver_judge(struct resolving *u, struct lookup *lookup)
{
	bool good = true;

	for (size_t i = 0; i < lookup->count; i++) {
		if (lookup->hosts[i] == NULL || lookup->answers[i].error == 0)
			continue;
		good = false;
		resolver_keep_good(u, lookup, i);
	}
	if (good && u->failing)
		log_info("upstream %s: resolves again", u->conf->name);
	u->failing = !good;
	return good;
}

static void
resolver_wait(struct resolving *u, bool good)
{
	struct timeval tv = { .tv_sec = REFRESH_S };

	if (good) {
		u->retry_s = RETRY_FIRST_S;
	} else {
		tv.tv_sec = u->retry_s;
		u->retry_s = u->retry_s * 2 > RETRY_LAST_S ? RETRY_LAST_S :
		    u->retry_s * 2;
	}
	tv.tv_usec = (suseconds_t)(random() % 500000); /* not all at once */
	if (event_add(&u->timer, &tv) < 0)
		log_error(-ENOMEM, "upstream %s: names are not looked up again",
		    u->conf->name);
}

static bool
resolver_has_names(const struct upstream_conf *conf)
{
	for (size_t i = 0; i < conf->nservers; i++)
		if (conf->servers[i].host != NULL)
			return true;
	return false;
}

static void
resolver_answer(struct resolver *r, struct lookup *lookup)
{
	struct resolving *u = &r->upstreams[lookup->upstream];
	bool good = resolver_judge(u, lookup);

	if (u->last != NULL)
		lookup_free(u->last);
	u->last = lookup;
	if (resolver_publish(u) < 0)
		good = false;
	if (!good || resolver_has_names(u->conf))
		resolver_wait(u, good);
}

static void
resolver_box_event(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;
	struct box_list list;
	struct lookup *lookup;

	(void)fd, (void)what;
	box_take(r->box, &list);
	while ((lookup = lookup_next(&list)) != NULL)
		resolver_answer(r, lookup);
}

static void
resolver_ask(struct resolving *u)
{
	int error = lookup_start(u->resolver->box, u->conf);

	if (error == 0)
		return;
	log_error(error, "upstream %s: cannot look up names", u->conf->name);
	resolver_wait(u, false);
}

static void
resolver_timer_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	resolver_ask(arg);
}

static bool
resolver_has_numbers(const struct upstream_conf *conf)
{
	for (size_t i = 0; i < conf->nservers; i++)
		if (conf->servers[i].host == NULL)
			return true;
	return false;
}

/* libevent keeps the memory that a timer took when it was first added. */
static int
resolver_init_timer(struct resolver *r, struct event_base *base, size_t i)
{
	const struct timeval tv = { .tv_sec = REFRESH_S };
	struct resolving *u = &r->upstreams[i];

	event_assign(&u->timer, base, -1, 0, resolver_timer_event, u);
	return event_add(&u->timer, &tv);
}

/* What needs no name is known now; sessions of the rest wait in ROUTE. */
static void
resolver_begin(struct resolver *r, size_t i)
{
	struct resolving *u = &r->upstreams[i];

	u->resolver = r;
	u->conf = &r->config->upstreams[i];
	u->retry_s = RETRY_FIRST_S;
	event_del(&u->timer);
	if (resolver_has_names(u->conf))
		resolver_ask(u);
	if (resolver_has_numbers(u->conf) && resolver_publish(u) < 0 &&
	    !resolver_has_names(u->conf))
		resolver_wait(u, false);
}

static int
resolver_init_events(struct resolver *r, struct event_base *base)
{
	int error;

	event_assign(&r->box_event, base, box_fd(r->box),
	    EV_READ | EV_PERSIST, resolver_box_event, r);
	error = event_add(&r->box_event, NULL);
	for (size_t i = 0; i < r->count; i++)
		error |= resolver_init_timer(r, base, i);
	return error;
}

struct resolver *
resolver_new(struct event_base *base, const struct config *config,
    struct crew *crew, struct servers *servers)
{
	size_t count = config->nupstreams;
	struct resolver *r;

	r = calloc(1, sizeof(*r) + count * sizeof(r->upstreams[0]));
	if (r == NULL)
		return NULL;
	r->config = config;
	r->crew = crew;
	r->servers = servers;
	r->count = count;
	r->box = lookup_box_new();
	if (r->box == NULL) {
		free(r);
		return NULL;
	}
	if (resolver_init_events(r, base) < 0) {
		resolver_free(r);
		return NULL;
	}
	for (size_t i = 0; i < count; i++)
		resolver_begin(r, i);
	return r;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->count; i++) {
		struct resolving *u = &r->upstreams[i];

		event_del(&u->timer);
		endpoint_set_unref(u->set);
		if (u->last != NULL)
			lookup_free(u->last);
	}
	event_del(&r->box_event);
	box_unref(r->box);
	free(r);
}

const struct endpoint_set *
resolver_endpoints(const struct resolver *r, size_t upstream)
{
	return r->upstreams[upstream].set;
}

int
resolver_renew(struct resolver *r, size_t upstream)
{
	struct resolving *u = &r->upstreams[upstream];

	return u->set == NULL ? 0 : resolver_publish(u);
}
