#include "bind-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "config/option.h"
#include "holder.h"
#include "net/sock.h"
#include "store.h"

#define RANGE_WITH_GROUPS 16 /* longer ranges have one socket a port */

int
bind_complain(const struct binding *b, int error, const char *why)
{
	char place[CONFIG_PLACE], line[LOG_LINE], whole[LOG_LINE];

	snprintf(line, sizeof(line), "%s: listener %s: %s",
	    config_place(b->config, b->bind->origin, place),
	    b->listener->name, why);
	snprintf(whole, sizeof(whole), "%s%s%s", line, error < 0 ? ": " : "",
	    error < 0 ? strerror(-error) : "");
	if (b->told != NULL) {
		b->told->error(b->told->arg, whole);
		return error;
	}
	log_error(error, "%s", line);
	if (b->ports != NULL)
		memcpy(b->ports->why, whole, sizeof(whole));
	return error;
}

static int
bind_fail(const struct binding *b, const struct addr *addr, int error)
{
	char where[ADDR_TEXT], holder[HOLDER_TEXT] = "";
	char why[BIND_WHY], text[LOG_LINE];

	if (error == -EADDRINUSE)
		holder_find(addr, b->ports, holder);
	snprintf(text, sizeof(text), "cannot bind %s%s%s",
	    addr_text(addr, where), holder,
	    bind_options_why(b->listener, addr, error, why));
	return bind_complain(b, error, text);
}

int
bind_add(const struct binding *b, size_t worker, int fd)
{
	int error = mail_add_listener(b->mails[worker], fd, b->listener);

	if (error < 0)
		close(fd);
	return error < 0 ? error : port_add_socket(b->port, worker,
	    b->mails[worker]);
}

static int
bind_backlog(const struct listener_conf *conf)
{
	return conf->backlog == 0 ? SOMAXCONN : (int)conf->backlog;
}

static int
bind_socket(const struct binding *b, const struct addr *addr, bool group)
{
	struct sock_listen opts = b->options.listen;
	int fd;

	opts.reuseport = group;
	/* The path of a Unix socket that does not listen yet would look stale
	 * to another daemon. */
	if (addr->sa.sa_family == AF_UNIX)
		return sock_listen(addr, &opts);
	fd = sock_bound(addr, &opts);
	return fd == -EADDRINUSE && b->ports != NULL &&
	    ports_let_in(b->ports) ? sock_bound(addr, &opts) : fd;
}

static int
bind_one(const struct binding *b, const struct addr *addr, bool group,
    size_t worker)
{
	int fd = bind_socket(b, addr, group);

	return fd < 0 ? fd : bind_add(b, worker, fd);
}

/* Port 0: the first of a group has got one now, the others take the same. */
static void
bind_learn_port(const struct binding *b, size_t worker, struct addr *addr)
{
	const struct mail *mail = b->mails[worker];
	char text[ADDR_TEXT];

	if (addr_port(addr) != 0)
		return;
	addr_set_port(addr, sock_port(mail->fds[mail->nfds - 1].fd));
	log_info("listener %s: bound %s", b->listener->name,
	    addr_text(addr, text));
}

static int
bind_group(const struct binding *b, struct addr *addr)
{
	int error = bind_one(b, addr, true, 0);

	if (error == 0)
		bind_learn_port(b, 0, addr);
	for (size_t i = 1; error == 0 && i < b->nworkers; i++)
		error = bind_one(b, addr, true, i);
	return error;
}

static int
bind_unix(struct binding *b, const struct addr *addr)
{
	int fd, error = sock_unlink_stale(addr);

	if (error < 0)
		return error;
	fd = bind_socket(b, addr, false);
	if (fd < 0)
		return fd;
	error = bound_add(&b->ports->bound, &b->bind->addr);
	if (error == 0)
		return bind_add(b, b->turn++ % b->nworkers, fd);
	unlink(addr->un.sun_path);
	close(fd);
	return error;
}

/* A port of our own would be found to be in use. */
static int
bind_probe(const struct binding *b, const struct addr *addr)
{
	uint16_t number = addr_port(addr);

	if (number == 0 || ports_have_number(b->ports, number) ||
	    bind_is_stored(b, number))
		return 0;
	return sock_probe(addr, &b->options.listen);
}

static int
bind_tcp(struct binding *b, struct addr *addr)
{
	int error = bind_probe(b, addr);

	if (error < 0)
		return error;
	return b->bind->ports <= RANGE_WITH_GROUPS ? bind_group(b, addr) :
	    bind_one(b, addr, true, b->turn++ % b->nworkers);
}

static bool
bind_has_port(const struct binding *b, const struct addr *addr)
{
	struct port_key key;

	if (b->ports == NULL)
		return false;
	port_key_init(&key, b->listener, b->bind, addr);
	return ports_find(b->ports, &key) != NULL;
}

static int
bind_try_tcp(const struct binding *b, const struct addr *addr)
{
	int fd, error = b->ports != NULL ? bind_probe(b, addr) :
	    sock_probe(addr, &b->options.listen);

	if (error < 0)
		return error;
	fd = bind_socket(b, addr, true);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* What the daemon has that runs with this very file is no error. */
static int
bind_try_port(const struct binding *b, const struct addr *addr)
{
	int error;

	if (bind_has_port(b, addr))
		return 0;
	error = addr->sa.sa_family == AF_UNIX ? sock_probe_unix(addr) :
	    bind_try_tcp(b, addr);
	if (error != -EADDRINUSE || b->trial == NULL ||
	    b->trial->daemon == 0 || !holder_is(addr, b->trial->daemon))
		return error;
	b->trial->held++;
	return 0;
}

static int
bind_make(struct binding *b, struct addr *addr, const struct port_key *key)
{
	int stored;

	b->port = ports_add(b->ports, key, b->listener);
	if (b->port == NULL)
		return -ENOMEM;
	stored = bind_stored(b, addr);
	if (stored != 0)
		return stored < 0 ? stored : 0;
	return addr->sa.sa_family == AF_UNIX ? bind_unix(b, addr) :
	    bind_tcp(b, addr);
}

static int
bind_port(struct binding *b, struct addr *addr)
{
	struct port_key key;
	struct port *known;

	if (b->mails == NULL)
		return bind_try_port(b, addr);
	if (b->looks) {
		bind_want_stored(b, addr);
		return 0;
	}
	port_key_init(&key, b->listener, b->bind, addr);
	known = ports_find(b->ports, &key);
	return known != NULL ? ports_keep(known, b->listener, b->mails) :
	    bind_make(b, addr, &key);
}

/* ":PORT" on a kernel without IPv6 is all of IPv4.  One that is short of
 * something is not without. */
static int
bind_choose_family(struct binding *b, struct addr *addr)
{
	int fd;

	b->options.listen.dual = b->bind->dual;
	if (!b->bind->dual)
		return 0;
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (sock_is_short(-errno))
		return -errno;
	addr_from_ip(addr, "0.0.0.0", addr_port(addr));
	b->options.listen.dual = false;
	return 0;
}

static int
bind_ports(struct binding *b)
{
	struct addr addr = b->bind->addr;
	int error;

	if (b->bind->passed != NULL)
		return bind_passed(b);
	error = bind_choose_family(b, &addr);
	for (unsigned i = 0; error == 0 && i < b->bind->ports; i++) {
		if (i > 0)
			addr_set_port(&addr, (uint16_t)(addr_port(&addr) + 1));
		error = bind_port(b, &addr);
	}
	return error < 0 ? bind_fail(b, &addr, error) : 0;
}

/* The same for all of a listener's. */
static int
bind_begin(struct binding *b, const struct listener_conf *listener)
{
	b->listener = listener;
	if (b->told == NULL)
		return bind_options_init(&b->options, b->config, listener);
	bind_options_plain(&b->options, listener);
	return 0;
}

/* The kernel looks at who else has the port once more. */
static int
bind_listen(const struct config *config, const struct listen_fd *l,
    struct ports *ports)
{
	int error, backlog = bind_backlog(l->conf);
	char place[CONFIG_PLACE];

	if (l->shared || listen(l->fd, backlog) == 0 ||
	    (errno == EADDRINUSE && ports_let_in(ports) &&
	    listen(l->fd, backlog) == 0))
		return 0;
	error = -errno;
	log_error(error, "%s: listener %s: cannot listen",
	    config_place(config, l->conf->origin, place), l->conf->name);
	return error;
}

static int
bind_listen_all(const struct config *config, struct mail **mails,
    size_t nworkers, struct ports *ports)
{
	int error = 0;

	for (size_t i = 0; i < nworkers; i++)
		for (size_t n = 0; error == 0 && n < mails[i]->nfds; n++)
			if (mails[i]->fds[n].order == LISTEN_OPEN)
				error = bind_listen(config,
				    &mails[i]->fds[n], ports);
	return error;
}

static int
bind_all(struct binding *b)
{
	const struct config *config = b->config;
	int error = 0;

	for (size_t i = 0; error == 0 && i < config->nlisteners; i++) {
		error = bind_begin(b, &config->listeners[i]);
		for (size_t n = 0; error == 0 && n < b->listener->nbinds; n++) {
			b->bind = &b->listener->binds[n];
			error = bind_ports(b);
		}
	}
	return error;
}

int
bind_sweep(const struct config *config, struct mail **mails,
    struct ports *ports)
{
	struct binding b = { .config = config, .mails = mails,
		.ports = ports, .looks = true };
	int error = 0;

	if (ports->passed.count > 0)
		error = bind_all(&b);
	if (error == 0)
		store_sweep(&ports->passed);
	return error;
}

int
bind_open(const struct config *config, struct mail **mails, size_t nworkers,
    struct ports *ports)
{
	struct binding b = { .config = config, .mails = mails,
		.nworkers = nworkers, .ports = ports };
	int error = bind_options_check_sources(config);

	ports->why[0] = '\0';
	if (error == 0)
		error = bind_all(&b);
	if (error == 0)
		error = ports_leave(ports, mails);
	return error < 0 ? error : bind_listen_all(config, mails, nworkers,
	    ports);
}

int
bind_try(const struct listener_conf *listener, const struct bind_conf *bind,
    struct bind_trial *trial)
{
	struct binding b = { .config = listener->config, .bind = bind,
		.trial = trial };
	int error = bind_begin(&b, listener);

	trial->held = 0;
	return error < 0 ? error : bind_ports(&b);
}

static int
bind_rehearse_listener(struct binding *b, const struct listener_conf *listener)
{
	int error = bind_begin(b, listener), last;

	for (size_t n = 0; n < listener->nbinds; n++) {
		b->bind = &listener->binds[n];
		last = bind_ports(b);
		error = last < 0 ? last : error;
	}
	return error;
}

int
bind_rehearse(const struct config *config, struct ports *ports,
    const struct bind_told *told)
{
	struct binding b = { .config = config, .ports = ports, .told = told };
	int error = 0, last;

	for (size_t i = 0; i < config->nlisteners; i++) {
		last = bind_rehearse_listener(&b, &config->listeners[i]);
		error = last < 0 ? last : error;
	}
	ports_abort(ports);
	return error;
}

static bool
bind_has_path(const struct bind_conf *bind)
{
	return bind->addr.sa.sa_family == AF_UNIX &&
	    bind->addr.un.sun_path[0] != '\0';
}

/* What socket_owner says has been done already.  Not chown(2): in a folder of
 * somebody else it may be a link by now. */
static int
bind_give_path(const struct listener_conf *l, const struct bind_conf *bind,
    uid_t uid, gid_t gid)
{
	return lchown(bind->addr.un.sun_path,
	    l->socket_owner.user != NULL ? (uid_t)-1 : uid,
	    l->socket_owner.group != NULL ? (gid_t)-1 : gid);
}

/* A group of SO_REUSEPORT takes in sockets of its own user alone, which is that
 * of the inode (sock_i_uid()): a reload may have to add some. */
static void
bind_give_sockets(const struct ports *ports, uid_t uid, gid_t gid)
{
	const struct port *port;

	TAILQ_FOREACH(port, &ports->list, link)
		for (size_t i = 0; i < port->nsockets; i++)
			if (fchown(port->sockets[i].fd, uid, gid) < 0)
				log_warn(-errno, "cannot give a listening "
				    "socket away");
}

void
bind_give(const struct config *config, const struct ports *ports, uid_t uid,
    gid_t gid)
{
	bind_give_sockets(ports, uid, gid);
	for (size_t i = 0; i < config->nlisteners; i++) {
		const struct listener_conf *l = &config->listeners[i];

		for (size_t n = 0; n < l->nbinds; n++)
			if (bind_has_path(&l->binds[n]) &&
			    bind_give_path(l, &l->binds[n], uid, gid) < 0)
				log_warn(-errno, "listener %s: cannot give %s "
				    "away", l->name, l->binds[n].text);
	}
}
