#include "check.h"

#include "base/str.h"
#include "config/places.h"
#include "hostport.h"
#include "proxies.h"
#include "range.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>

/* Where an option was given; of kind ORIGIN_DEFAULT when it was not. */
static struct origin
given(const struct origin *origins, enum section_kind kind, const char *key)
{
	return origins[option_index(option_find(kind, key))];
}

static bool
is_given(struct origin origin)
{
	return origin.kind != ORIGIN_DEFAULT;
}

/* --- upstreams */

static bool
server_same(const struct server_conf *a, const struct server_conf *b)
{
	if (strcmp(a->name, b->name) == 0)
		return true;
	if (a->host != NULL && b->host != NULL)
		return strcasecmp(a->host, b->host) == 0 && a->port == b->port;
	return a->host == NULL && b->host == NULL &&
	    addr_equal(&a->addr, &b->addr);
}

static void
servers_check(struct check *check, const struct upstream_conf *upstream)
{
	char place[ORIGIN_TEXT];

	for (size_t i = 1; i < upstream->nservers; i++) {
		const struct server_conf *server = &upstream->servers[i];

		for (size_t j = 0; j < i; j++) {
			if (!server_same(server, &upstream->servers[j]))
				continue;
			report(check->report, server->origin, "server '%s' is "
			    "that of %s again", server->name, origin_text(
			    check->report, server->origin,
			    upstream->servers[j].origin, place));
			break;
		}
	}
}

/* host and port are the short form of one server. */
static void
upstream_add_host(struct check *check, struct upstream_conf *upstream,
    struct origin origin)
{
	struct server_conf *server = arena_alloc(check->arena, sizeof(*server));
	char why[HOSTPORT_WHY], name[HOST_MAX + 16];
	struct hostport hp;

	if (server == NULL || host_parse(&hp, upstream->host, why) != NULL)
		return;
	snprintf(name, sizeof(name),
	    strchr(hp.host, ':') != NULL ? "[%s]:%u" : "%s:%u", hp.host,
	    (unsigned)upstream->port);
	server->name = arena_text(check->arena, name, strlen(name));
	server->port = (uint16_t)upstream->port;
	server->weight = 1;
	server->origin = origin;
	if (hp.kind == HOST_NAME)
		server->host = upstream->host;
	else
		server->addr = hp.addr;
	addr_set_port(&server->addr, server->port);
	if (server->name == NULL)
		return;
	upstream->servers = server;
	upstream->nservers = 1;
}

static void
upstream_servers(struct check *check, const struct section *section)
{
	struct upstream_conf *upstream = section->owner;
	struct origin host = given(upstream->origins, section->kind, "host");
	struct origin port = given(upstream->origins, section->kind, "port");
	struct origin server = given(upstream->origins, section->kind,
	    "server");
	char name[SECTION_TEXT], place[ORIGIN_TEXT];

	section_text(section, name);
	if (is_given(server) && (is_given(host) || is_given(port)))
		report(check->report, server, "%s has server here and %s at "
		    "%s: write one or the other", name,
		    is_given(host) ? "host" : "port",
		    origin_text(check->report, server,
		    is_given(host) ? host : port, place));
	else if (section->unsure || is_given(server))
		;
	else if (!is_given(host) && !is_given(port))
		report(check->report, section->origin,
		    "%s has neither host nor server", name);
	else if (!is_given(host))
		report(check->report, port, "%s has a port but no host", name);
	else if (!is_given(port) && upstream->host != NULL)
		report(check->report, host, "%s has a host but no port: "
		    "add 'port = NUMBER'", name);
	if (upstream->host != NULL && upstream->port != 0 &&
	    upstream->nservers == 0)
		upstream_add_host(check, upstream, host);
}

static void
upstream_check_ttl(struct check *check, const struct section *section)
{
	const struct upstream_conf *upstream = section->owner;
	struct origin min = given(upstream->origins, section->kind,
	    "dns_ttl_min");
	struct origin max = given(upstream->origins, section->kind,
	    "dns_ttl_max");

	if (upstream->dns_ttl_min > upstream->dns_ttl_max && !section->unsure)
		report(check->report, is_given(max) ? max : min, "dns_ttl_max "
		    "of [upstream %s] is less than its dns_ttl_min",
		    upstream->name);
}

static void
upstream_check_own(struct check *check, const struct upstream_conf *upstream)
{
	for (size_t i = 0; i < upstream->nservers; i++) {
		const struct server_conf *server = &upstream->servers[i];
		const struct listener_conf *own;

		if (server->host != NULL)
			continue;
		own = config_own_listener(check->config, &server->addr);
		if (own != NULL)
			report(check->report, server->origin, "'%s' is where "
			    "[listener %s] listens: that would forward to "
			    "itself", server->name, own->name);
	}
}

/* --- listeners */

static void
upstream_unknown(struct check *check, const char *key, const char *name,
    struct origin origin)
{
	struct str_guess guess = { 0 };

	for (size_t i = 0; i < check->config->nupstreams; i++)
		str_guess_offer(&guess, name,
		    check->config->upstreams[i].name);
	if (strchr(name, ':') != NULL)
		report(check->report, origin, "%s takes the name of an "
		    "[upstream NAME], and that has 'server = %s'", key, name);
	else if (guess.word != NULL)
		report(check->report, origin, "there is no [upstream %s]; did "
		    "you mean '%s'?", name, guess.word);
	else
		report(check->report, origin, "there is no [upstream %s]",
		    name);
}

const struct upstream_conf *
check_upstream(struct check *check, const char *key, const char *name,
    struct origin origin)
{
	const struct upstream_conf *found;

	found = config_upstream_named(check->config, name);
	if (found == NULL && !check->doc->unsure)
		upstream_unknown(check, key, name, origin);
	return found;
}

static void
upstream_missing(struct check *check, const struct section *section)
{
	char name[SECTION_TEXT];

	section_text(section, name);
	if (check->config->nupstreams == 0)
		report(check->report, section->origin, "%s has nowhere to "
		    "forward to: there is no [upstream]", name);
	else
		report(check->report, section->origin, "%s could use several "
		    "upstreams: say which with 'upstream = NAME'", name);
}

/* That of its own name, else the only one. */
static const struct upstream_conf *
listener_guess(const struct config *config, const char *name)
{
	const struct upstream_conf *own = config_upstream_named(config, name);

	return own == NULL && config->nupstreams == 1 ?
	    &config->upstreams[0] : own;
}

static void
listener_resolve(struct check *check, const struct section *section)
{
	struct listener_conf *listener = section->owner;
	struct origin origin = given(listener->origins, section->kind,
	    "upstream");

	if (is_given(origin) && listener->upstream_name == NULL)
		return;
	listener->upstream = is_given(origin) ? check_upstream(check,
	    "upstream", listener->upstream_name, origin) :
	    listener_guess(check->config, listener->name);
	if (listener->upstream != NULL)
		listener->upstream_name = listener->upstream->name;
	else if (!is_given(origin) && !section->unsure && !check->doc->unsure)
		upstream_missing(check, section);
}

static void
listener_check_bind(struct check *check, const struct section *section)
{
	const struct listener_conf *listener = section->owner;
	char name[SECTION_TEXT];

	if (!section->unsure && !is_given(given(listener->origins,
	    section->kind, "bind")))
		report(check->report, section->origin, "%s has no bind: write "
		    "where to listen, as 'bind = :8080'",
		    section_text(section, name));
}

static void
report_believed(struct check *check, struct origin origin)
{
	report(check->report, origin, "accept_proxy optional would believe "
	    "whoever sends a header: name the proxies in front, as "
	    "'accept_proxy_from = 10.0.0.0/8'");
}

static void
listener_check_optional(struct check *check, const struct section *section)
{
	const struct listener_conf *listener = section->owner;

	if (listener->accept_proxy != ACCEPT_PROXY_OPTIONAL)
		return;
	if (!section->unsure && !is_given(given(listener->origins,
	    section->kind, "accept_proxy_from")))
		report_believed(check, given(listener->origins, section->kind,
		    "accept_proxy"));
	for (size_t i = 0; i < listener->nproxies; i++)
		if (range_is_all(&listener->proxies[i].prefix))
			report_believed(check, listener->proxies[i].origin);
}

/* What [defaults] says is for those that it fits. */
static void
listener_check_proxies(struct check *check, const struct section *section)
{
	struct listener_conf *listener = section->owner;
	struct origin from = given(listener->origins, section->kind,
	    "accept_proxy_from");
	struct origin accept = given(listener->origins, section->kind,
	    "accept_proxy");

	listener_check_optional(check, section);
	if (!is_given(accept) && listener->nproxies > 0 &&
	    from.kind != ORIGIN_DEFAULTS)
		report(check->report, from, "accept_proxy_from is not looked "
		    "at without 'accept_proxy = require' or 'optional'");
	listener->proxy_map = proxies_map(check->arena, listener);
}

static void
listener_check_denial(struct check *check, const struct section *section)
{
	struct listener_conf *listener = section->owner;
	struct origin action = given(listener->origins, section->kind,
	    "deny_action");

	if (listener->deny_action == DENY_RESET || section->unsure ||
	    is_given(given(listener->origins, section->kind, "allow")) ||
	    is_given(given(listener->origins, section->kind, "deny")))
		return;
	if (action.kind == ORIGIN_DEFAULTS)
		listener->deny_action = DENY_RESET;
	else
		report(check->report, action, "deny_action is for clients that "
		    "allow and deny keep out, and [listener %s] has neither",
		    listener->name);
}

/* --- addresses against each other */

static void
bind_check(struct check *check, const struct bind_conf *bind,
    const struct bind_conf *before)
{
	char place[ORIGIN_TEXT];

	if (bind_overlaps(bind, before))
		report(check->report, bind->origin,
		    "bind '%s' overlaps with '%s' at %s", bind->text,
		    before->text, origin_text(check->report, bind->origin,
		    before->origin, place));
}

/* Each bind against those that come before it in the file. */
static void
binds_check(struct check *check, const struct bind_conf *admin)
{
	const struct bind_conf **all = NULL, **grown;
	size_t count = 0;

	for (size_t i = 0; i < check->config->nlisteners; i++) {
		const struct listener_conf *l = &check->config->listeners[i];

		for (size_t j = 0; j < l->nbinds; j++) {
			for (size_t k = 0; k < count; k++)
				bind_check(check, &l->binds[j], all[k]);
			if (admin->text != NULL)
				bind_check(check, &l->binds[j], admin);
			grown = arena_grow(check->report->arena, all, count,
			    sizeof(const struct bind_conf *));
			if (grown == NULL)
				return;
			all = grown;
			all[count++] = &l->binds[j];
		}
	}
}

static struct bind_conf
admin_bind(const struct global_conf *global)
{
	return (struct bind_conf){
		.text = global->admin,
		.addr = global->admin_addr,
		.ports = 1,
		.origin = given(global->origins, SECTION_GLOBAL, "admin"),
	};
}

void
config_check(struct config *config, struct arena *arena, struct document *doc)
{
	struct check check = { config, arena, doc, doc->report };
	struct bind_conf admin = admin_bind(&config->global);

	for (struct section *s = doc->sections; s != NULL; s = s->next) {
		if (s->owner != NULL && s->kind == SECTION_UPSTREAM) {
			upstream_servers(&check, s);
			unused_check(&check, s);
			upstream_check_ttl(&check, s);
			health_check(&check, s);
		}
	}
	for (struct section *s = doc->sections; s != NULL; s = s->next) {
		if (s->owner != NULL && s->kind == SECTION_LISTENER) {
			listener_check_bind(&check, s);
			listener_check_listening(doc->report, s->owner);
			listener_resolve(&check, s);
			listener_check_proxies(&check, s);
			listener_check_denial(&check, s);
			routes_check(&check, s->owner);
		}
	}
	for (size_t i = 0; i < config->nupstreams; i++) {
		servers_check(&check, &config->upstreams[i]);
		upstream_check_own(&check, &config->upstreams[i]);
	}
	binds_check(&check, &admin);
	unused_check_dns(&check);
	if (config->nlisteners == 0 && !doc->unsure)
		report(doc->report, origin_line(0, 0),
		    "has no [listener]: there is nothing to forward");
}
