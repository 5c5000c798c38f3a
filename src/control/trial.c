#include "control/trial.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "admin_socket.h"
#include "base/log.h"
#include "bind.h"
#include "bind_options.h"
#include "config/option.h"
#include "identity.h"
#include "names.h"
#include "net/conn.h"
#include "running.h"
#include "turnstile.h"

#define EXIT_FINE	  0
#define EXIT_WRONG	  1
#define EXIT_START_FAILED 3

struct trial {
	FILE		    *out;
	const struct config *config;
	struct event_base   *base;
	struct dns	    *dns;
	struct names	   **names; /* one an upstream; NULL: it has none */
	struct bind_trial    binds; /* beside the daemon that runs already */
};

static void
trial_changed(void *arg)
{
	(void)arg; /* trial_wait() looks */
}

/* All at once: a name server that is dead costs its time once. */
static int
trial_ask(struct trial *t)
{
	for (size_t i = 0; i < t->config->nupstreams; i++) {
		const struct upstream_conf *conf = &t->config->upstreams[i];

		if (!upstream_has_names(conf))
			continue;
		t->names[i] = names_new(t->base, t->dns, t->config, conf, true,
		    trial_changed, t);
		if (t->names[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void
trial_wait(struct trial *t)
{
	for (size_t i = 0; i < t->config->nupstreams; i++)
		while (!names_are_settled(t->names[i]))
			event_base_loop(t->base, EVLOOP_ONCE);
}

/* An address of our own would have every session forwarded to us again. */
static bool
trial_address(const struct trial *t, const struct upstream_conf *conf,
    const struct server_conf *server, const struct addr *addr)
{
	const struct listener_conf *own = config_own_listener(t->config, addr);
	char text[ADDR_TEXT], place[CONFIG_PLACE];

	if (own == NULL)
		return true;
	log_error(0, "%s: upstream %s: '%s' is %s, where listener %s listens: "
	    "that would forward to itself",
	    config_place(t->config, server->origin, place), conf->name,
	    server->name, addr_text(addr, text), own->name);
	return false;
}

static bool
trial_unresolved(const struct trial *t, const struct upstream_conf *conf,
    const struct server_conf *server, const struct name *name)
{
	char place[CONFIG_PLACE];

	if (name->why == NULL || name->naddrs > 0)
		return false;
	log_error(0, "%s: upstream %s: cannot resolve '%s': %s",
	    config_place(t->config, server->origin, place), conf->name,
	    name->host, name->why);
	return true;
}

/* " 10.0.0.1:80, 10.0.0.2:80", and whether we may forward to all. */
static bool
trial_addresses(const struct trial *t, const struct upstream_conf *conf,
    const struct server_conf *server, const struct name *name, uint16_t port)
{
	char text[ADDR_TEXT];
	bool fine = true;

	for (size_t i = 0; i < name->naddrs; i++) {
		struct addr addr = name->addrs[i];

		addr_set_port(&addr, port);
		fprintf(t->out, "%s %s", i > 0 ? "," : "",
		    addr_text(&addr, text));
		fine &= trial_address(t, conf, server, &addr);
	}
	fputc('\n', t->out);
	return fine;
}

static bool
trial_host(const struct trial *t, const struct upstream_conf *conf,
    const struct server_conf *server)
{
	const struct name *name = names_find(t->names[conf->index],
	    DNS_ADDRESSES, server->host);

	if (trial_unresolved(t, conf, server, name))
		return false;
	fprintf(t->out, "upstream %s: %s:%u is", conf->name, server->host,
	    server->port);
	return trial_addresses(t, conf, server, name, server->port);
}

static bool
trial_service(const struct trial *t, const struct upstream_conf *conf,
    const struct server_conf *server)
{
	const struct names *names = t->names[conf->index];
	const struct name *name = names_find(names, DNS_SERVICES,
	    server->host), *target;
	bool fine = true;

	if (trial_unresolved(t, conf, server, name))
		return false;
	for (size_t i = 0; i < name->nservices; i++) {
		const struct dns_service *s = &name->services[i];

		target = names_find(names, DNS_ADDRESSES, s->target);
		if (trial_unresolved(t, conf, server, target)) {
			fine = false;
			continue;
		}
		fprintf(t->out, "upstream %s: %s has %s:%u (priority %u, "
		    "weight %u), which is", conf->name, server->name,
		    s->target, s->port, s->priority, s->weight);
		fine &= trial_addresses(t, conf, server, target, s->port);
	}
	return fine;
}

static bool
trial_upstream(const struct trial *t, const struct upstream_conf *conf)
{
	bool fine = true;

	for (size_t i = 0; i < conf->nservers; i++) {
		const struct server_conf *server = &conf->servers[i];

		if (server->host == NULL)
			continue;
		fine &= server->srv ? trial_service(t, conf, server) :
		    trial_host(t, conf, server);
	}
	return fine;
}

static int
trial_open(struct trial *t)
{
	t->names = calloc(t->config->nupstreams, sizeof(struct names *));
	t->base = conn_base_new();
	if (t->names == NULL || t->base == NULL)
		return -ENOMEM;
	t->dns = dns_new(t->base, t->config);
	return t->dns == NULL ? -ENOMEM : trial_ask(t);
}

static void
trial_close(struct trial *t)
{
	for (size_t i = 0; t->names != NULL && i < t->config->nupstreams; i++)
		names_free(t->names[i]);
	free(t->names);
	dns_free(t->dns);
	if (t->base != NULL)
		event_base_free(t->base);
}

static bool
trial_names(struct trial *t)
{
	int error = trial_open(t);
	bool fine = true;

	if (error < 0)
		log_error(error, "cannot look names up");
	else
		trial_wait(t);
	for (size_t i = 0; error == 0 && i < t->config->nupstreams; i++)
		fine &= trial_upstream(t, &t->config->upstreams[i]);
	trial_close(t);
	return fine && error == 0;
}

static bool
trial_bind(struct trial *t, const struct listener_conf *listener,
    const struct bind_conf *bind)
{
	if (bind->passed != NULL) {
		fprintf(t->out, "listener %s: %s is for systemd to pass\n",
		    listener->name, bind->text);
		return true;
	}
	if (bind_try(listener, bind, &t->binds) < 0)
		return false;
	if (t->binds.held > 0)
		fprintf(t->out, "listener %s: %s is held by the daemon that "
		    "runs, pid %ld\n", listener->name, bind->text,
		    (long)t->binds.daemon);
	else
		fprintf(t->out, "listener %s: %s can be bound\n",
		    listener->name, bind->text);
	return true;
}

static bool
trial_listener(struct trial *t, const struct listener_conf *listener)
{
	bool fine = true;

	for (size_t i = 0; i < listener->nbinds; i++)
		fine &= trial_bind(t, listener, &listener->binds[i]);
	return fine;
}

/* What the daemon has is not tried. */
static bool
trial_admin(const struct trial *t, const struct identity *identity)
{
	const struct global_conf *global = &t->config->global;

	if (admin_sockets_try(t->config, identity, t->binds.daemon) < 0)
		return false;
	if (global->admin != NULL)
		fprintf(t->out, "admin: %s can be bound\n", global->admin);
	return true;
}

static bool
trial_start(struct trial *t)
{
	struct identity identity = { 0 };
	bool fine = identity_find(t->config, &identity) == 0;
	int turn = turnstile_enter();

	t->binds.daemon = running_find(t->config);
	fine &= trial_admin(t, &identity);
	fine &= bind_options_check_sources(t->config) == 0;
	for (size_t i = 0; i < t->config->nlisteners; i++)
		fine &= trial_listener(t, &t->config->listeners[i]);
	turnstile_leave(turn);
	return fine;
}

int
trial_run(FILE *out, const struct config *config)
{
	struct trial t = { .out = out, .config = config };
	bool names = trial_names(&t), start = trial_start(&t);

	if (!names)
		return EXIT_WRONG;
	return start ? EXIT_FINE : EXIT_START_FAILED;
}
