#include "retune.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "bind_options.h"
#include "config/diff.h"
#include "config/places.h"
#include "net/sock.h"

static int
retune_path(const struct port *port, const struct bind_options *o)
{
	const char *path = port->key.addr.un.sun_path;

	if (path[0] == '\0')
		return 0;
	if (o->listen.mode != 0 && chmod(path, o->listen.mode) < 0)
		return -errno;
	return lchown(path, o->owner.uid, o->owner.gid) < 0 ? -errno : 0;
}

static int
retune_sockets(const struct port *port, const struct bind_options *o,
    const struct listener_conf *l)
{
	struct sock_listen opts = o->listen;
	int error = 0;

	if (port_passed(port) != NULL && l->backlog == 0)
		opts.backlog = SOCK_BACKLOG_KEPT;
	for (size_t i = 0; error == 0 && i < port->nsockets; i++)
		error = sock_retune(port->sockets[i].fd, &opts);
	return error;
}

static void
retune_port(const struct port *port, const struct bind_options *o,
    const struct listener_conf *l)
{
	bool local = port->key.addr.sa.sa_family == AF_UNIX;
	int error = local ? retune_path(port, o) : 0;
	char text[ADDR_TEXT];

	if (error == 0)
		error = retune_sockets(port, o, l);
	if (error < 0)
		log_warn(error, "listener %s: options of %s are not set anew",
		    l->name, addr_text(&port->key.addr, text));
}

static void
retune_listener(const struct ports *ports, const struct config *config,
    const struct listener_conf *l)
{
	struct bind_options options;
	const struct port *port;

	if (bind_options_init(&options, config, l) < 0)
		return;
	TAILQ_FOREACH(port, &ports->list, link)
		if (port->state == PORT_KEPT && port->conf == l)
			retune_port(port, &options, l);
}

void
retune(const struct ports *ports, const struct config *before,
    const struct config *after)
{
	for (size_t i = 0; i < after->nlisteners; i++) {
		const struct listener_conf *l = &after->listeners[i];
		const struct listener_conf *old;

		old = config_listener_named(before, l->name);
		if (old == NULL || !listener_conf_same(old, l))
			retune_listener(ports, after, l);
	}
}
