#include "control/trial.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>

#include "admin_socket.h"
#include "base/log.h"
#include "bind.h"
#include "bind_options.h"
#include "config/option.h"
#include "identity.h"
#include "lookup.h"
#include "turnstile.h"

#define EXIT_FINE	  0
#define EXIT_WRONG	  1
#define EXIT_START_FAILED 3

struct trial {
	FILE		    *out;
	const struct config *config;
	struct box	    *box;
	struct lookup	   **lookups; /* one an upstream; NULL: no names */
	size_t		     asked;   /* look-ups that run */
};

static bool
upstream_has_names(const struct upstream_conf *conf)
{
	for (size_t i = 0; i < conf->nservers; i++)
		if (conf->servers[i].host != NULL)
			return true;
	return false;
}

/* All at once: a name server that is dead costs its time once. */
static int
trial_ask(struct trial *t)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < t->config->nupstreams; i++) {
		const struct upstream_conf *conf = &t->config->upstreams[i];

		if (!upstream_has_names(conf))
			continue;
		error = lookup_start(t->box, conf);
		t->asked += error == 0;
	}
	return error;
}

static void
trial_wait(struct trial *t)
{
	struct pollfd ready = { .fd = box_fd(t->box), .events = POLLIN };
	struct box_list list = STAILQ_HEAD_INITIALIZER(list);
	struct lookup *lookup;

	while (t->asked > 0) {
		poll(&ready, 1, -1);
		box_take(t->box, &list);
		while ((lookup = lookup_next(&list)) != NULL) {
			t->lookups[lookup->upstream] = lookup;
			t->asked--;
		}
	}
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
trial_server(const struct trial *t, const struct upstream_conf *conf,
    const struct server_conf *server, const struct lookup_answer *answer)
{
	char text[ADDR_TEXT], place[CONFIG_PLACE];
	bool fine = answer->error == 0;

	if (!fine)
		log_error(0, "%s: upstream %s: cannot resolve '%s': %s",
		    config_place(t->config, server->origin, place), conf->name,
		    server->host, gai_strerror(answer->error));
	else
		fprintf(t->out, "upstream %s: %s:%u is", conf->name,
		    server->host, server->port);
	for (size_t i = 0; i < answer->count; i++)
		fprintf(t->out, "%s %s", i > 0 ? "," : "",
		    addr_text(&answer->addrs[i], text));
	if (fine)
		fputc('\n', t->out);
	for (size_t i = 0; i < answer->count; i++)
		fine &= trial_address(t, conf, server, &answer->addrs[i]);
	return fine;
}

static bool
trial_upstream(const struct trial *t, const struct upstream_conf *conf)
{
	const struct lookup *lookup = t->lookups[conf->index];
	bool fine = true;

	for (size_t i = 0; lookup != NULL && i < conf->nservers; i++)
		if (conf->servers[i].host != NULL)
			fine &= trial_server(t, conf, &conf->servers[i],
			    &lookup->answers[i]);
	return fine;
}

static bool
trial_names(struct trial *t)
{
	size_t count = t->config->nupstreams;
	bool fine = true;
	int error;

	t->box = lookup_box_new();
	t->lookups = calloc(count, sizeof(struct lookup *));
	error = t->box != NULL && t->lookups != NULL ? trial_ask(t) : -ENOMEM;
	if (error < 0)
		log_error(error, "cannot look names up");
	if (t->asked > 0)
		trial_wait(t);
	for (size_t i = 0; t->lookups != NULL && i < count; i++) {
		fine &= trial_upstream(t, &t->config->upstreams[i]);
		if (t->lookups[i] != NULL)
			lookup_free(t->lookups[i]);
	}
	free(t->lookups);
	box_unref(t->box);
	return fine && error == 0;
}

static bool
trial_listener(const struct trial *t, const struct listener_conf *listener)
{
	bool fine = true;

	for (size_t i = 0; i < listener->nbinds; i++) {
		const struct bind_conf *bind = &listener->binds[i];

		if (bind_try(t->config, listener, bind) == 0)
			fprintf(t->out, "listener %s: %s can be bound\n",
			    listener->name, bind->text);
		else
			fine = false;
	}
	return fine;
}

static bool
trial_admin(const struct trial *t, const struct identity *identity)
{
	const struct global_conf *global = &t->config->global;

	if (admin_sockets_try(t->config, identity) < 0)
		return false;
	if (global->admin != NULL)
		fprintf(t->out, "admin: %s can be bound\n", global->admin);
	return true;
}

static bool
trial_start(const struct trial *t)
{
	struct identity identity = { 0 };
	bool fine = identity_find(t->config, &identity) == 0;
	int turn = turnstile_enter();

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
