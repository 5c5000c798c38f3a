#include "doors.h"

#include <stdlib.h>

#include "base/log.h"
#include "crew.h"
#include "servers.h"

struct doors {
	const struct config  *config;
	struct crew	     *crew;
	const struct servers *servers;
	bool		      shut[]; /* by index of the listener */
};

struct doors *
doors_new(const struct config *config, struct crew *crew,
    const struct servers *servers)
{
	struct doors *d = calloc(1, sizeof(*d) +
	    config->nlisteners * sizeof(d->shut[0]));

	if (d == NULL)
		return NULL;
	d->config = config;
	d->crew = crew;
	d->servers = servers;
	return d;
}

void
doors_free(struct doors *d)
{
	free(d);
}

bool
doors_is_open(const struct doors *d, size_t listener)
{
	return !d->shut[listener];
}

static bool
doors_has_server(const struct doors *d, const struct upstream_conf *upstream)
{
	size_t all;

	return servers_up(d->servers, upstream->index, &all) > 0;
}

/* Wherever one of its rules leads counts, too. */
static bool
doors_leads_somewhere(const struct doors *d, const struct listener_conf *l)
{
	if (l->upstream->absence.how != ABSENCE_UNLISTEN ||
	    doors_has_server(d, l->upstream))
		return true;
	for (size_t i = 0; i < l->routes.count; i++)
		if (doors_has_server(d, l->routes.rules[i].upstream))
			return true;
	return false;
}

static bool
doors_lead_to(const struct listener_conf *l, size_t upstream)
{
	for (size_t i = 0; i < l->routes.count; i++)
		if (l->routes.rules[i].upstream->index == upstream)
			return true;
	return l->upstream->index == upstream;
}

static void
doors_set(struct doors *d, const struct listener_conf *l, bool open)
{
	int error = crew_listen(d->crew, l, open);

	if (error < 0) {
		log_error(error, "listener %s: cannot %s", l->name, open ?
		    "accept clients again" : "refuse clients");
		return;
	}
	d->shut[l->index] = !open;
	if (open)
		log_info("listener %s: accepts clients again", l->name);
	else
		log_warn(0, "listener %s: no server is up, clients are refused "
		    "(on_no_server = unlisten)", l->name);
}

void
doors_look(struct doors *d, size_t upstream)
{
	for (size_t i = 0; i < d->config->nlisteners; i++) {
		const struct listener_conf *l = &d->config->listeners[i];
		bool open = !doors_lead_to(l, upstream) ? !d->shut[i] :
		    doors_leads_somewhere(d, l);

		if (open == d->shut[i])
			doors_set(d, l, open);
	}
}
