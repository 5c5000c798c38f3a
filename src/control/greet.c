#include "greet.h"

#include <stdio.h>

#include "base/log.h"
#include "control-internal.h"

/* By which interface, if by one; the one server, or the name of many; and that
 * some go elsewhere. */
static void
greet_listener(const struct listener_conf *l)
{
	const struct upstream_conf *to = l->upstream;
	char routes[48] = "", by[64] = "";

	if (l->interface != NULL)
		snprintf(by, sizeof(by), " (%s)", l->interface);
	if (l->routes.count > 0)
		snprintf(routes, sizeof(routes), ", and by %zu route%s",
		    l->routes.count, l->routes.count > 1 ? "s" : "");
	for (size_t n = 0; n < l->nbinds; n++)
		log_info("forwarding %s%s -> %s%s", l->binds[n].text, by,
		    to->nservers == 1 ? to->servers[0].name : to->name, routes);
}

void
greet(const struct control *c)
{
	const struct config *config = c->config;
	char status[ADDR_TEXT];

	for (size_t i = 0; i < config->nlisteners; i++)
		greet_listener(&config->listeners[i]);
	if (c->sockets.tcp_fd >= 0)
		log_info("status on http://%s/",
		    addr_text(&c->sockets.tcp_at, status));
	if (c->sockets.unix_fd >= 0)
		log_info("sluice ctl on %s",
		    addr_text(&c->sockets.unix_at, status));
	log_info("%zu workers, at most %llu sessions", crew_size(c->crew),
	    (unsigned long long)crew_shared(c->crew)->sessions.max);
}
