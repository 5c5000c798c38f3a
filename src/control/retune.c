#include "retune.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "bind_options.h"
#include "config/diff.h"
#include "net/sock.h"

/* umask(2) could only be asked by setting it, which other threads would notice.
 * (proc_pid_status(5), from Linux 4.7 on.) */
static mode_t
retune_umask(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned mask = 022;
	char line[256];

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, "Umask: %o", &mask) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return (mode_t)mask;
}

/* What was given before and is not any more is as a new socket has it. */
static int
retune_path(const struct port *port, const struct bind_options *o)
{
	const char *path = port->key.addr.un.sun_path;
	const struct listener_conf *before = port->before;
	mode_t mode = o->listen.mode;
	uid_t uid = o->owner.uid;
	gid_t gid = o->owner.gid;

	if (path[0] == '\0')
		return 0;
	if (mode == 0 && before->socket_mode != 0)
		mode = 0777 & ~retune_umask();
	if (uid == (uid_t)-1 && before->socket_owner.user != NULL)
		uid = geteuid();
	if (gid == (gid_t)-1 && before->socket_owner.group != NULL)
		gid = getegid();
	if (mode != 0 && chmod(path, mode) < 0)
		return -errno;
	return lchown(path, uid, gid) < 0 ? -errno : 0;
}

/* The backlog is left to the workers, who know which sockets are shut. */
static int
retune_sockets(const struct port *port, const struct bind_options *o)
{
	struct sock_listen opts = o->listen;
	int error = 0;

	opts.backlog = SOCK_BACKLOG_KEPT;
	for (size_t i = 0; error == 0 && i < port->nsockets; i++)
		error = sock_retune(port->sockets[i].fd, &opts);
	return error;
}

static void
retune_port(const struct port *port, const struct bind_options *o)
{
	bool local = port->key.addr.sa.sa_family == AF_UNIX;
	int error = local ? retune_path(port, o) : 0;
	char text[ADDR_TEXT];

	if (error == 0)
		error = retune_sockets(port, o);
	if (error < 0)
		log_warn(error, "listener %s: options of %s are not set anew",
		    port->conf->name, addr_text(&port->key.addr, text));
}

/* The options are looked up once, and only where they are needed; those of one
 * listener had one before, mostly. */
static void
retune_listener(const struct ports *ports, const struct config *config,
    const struct listener_conf *l)
{
	const struct listener_conf *before = l;
	struct bind_options options;
	bool differs = false, known = false;
	const struct port *port;

	TAILQ_FOREACH(port, &ports->list, link) {
		if (port->state != PORT_KEPT || port->conf != l)
			continue;
		if (port->before != before)
			differs = !listener_conf_same(port->before, l);
		before = port->before;
		if (!differs)
			continue;
		if (!known && bind_options_init(&options, config, l) < 0)
			return;
		known = true;
		retune_port(port, &options);
	}
}

void
retune(const struct ports *ports, const struct config *config)
{
	for (size_t i = 0; i < config->nlisteners; i++)
		retune_listener(ports, config, &config->listeners[i]);
}
