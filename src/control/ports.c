#include "ports.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "net/sock.h"
#include "store.h"

#define PASSED "systemd:"
#define LEAVES_MS 5000 /* no worker takes as long to close one that goes:
			  LISTENER_LEAVE_MOST_MS */

void
ports_init(struct ports *ports)
{
	*ports = (struct ports){ 0 };
	TAILQ_INIT(&ports->list);
}

/* --- groups that some are about to leave
 *
 * Sockets that are made anew at an address join the group of those that leave it,
 * and the kernel would give the latter some of the clients, who find them deaf.
 * So the new ones stand alone until those are gone. */

static void
port_stand_alone(const struct port *port, bool alone)
{
	for (size_t i = 0; i < port->nsockets; i++)
		sock_stand_alone(port->sockets[i].fd, alone);
}

static void
ports_stand_alone(struct ports *ports, bool alone)
{
	struct port *port;

	ports->lets_in &= !alone;
	TAILQ_FOREACH(port, &ports->list, link)
		if (port->alone)
			port_stand_alone(port, alone);
}

static void
ports_settle_event(evutil_socket_t fd, short what, void *arg)
{
	struct ports *ports = arg;
	struct port *port;

	(void)fd, (void)what;
	ports_stand_alone(ports, false);
	TAILQ_FOREACH(port, &ports->list, link)
		port->alone = false;
}

/* libevent keeps the memory that a timer took when it was first added. */
int
ports_watch(struct ports *ports, struct event_base *base)
{
	const struct timeval tv = { .tv_sec = 1 };
	int error;

	event_assign(&ports->settle, base, -1, 0, ports_settle_event, ports);
	error = event_add(&ports->settle, &tv);
	event_del(&ports->settle);
	ports->settles = error == 0;
	return error < 0 ? -ENOMEM : 0;
}

bool
ports_let_in(struct ports *ports)
{
	if (!ports->settles || ports->lets_in || !event_pending(&ports->settle, EV_TIMEOUT, NULL))
		return false;
	ports->lets_in = true;
	ports_stand_alone(ports, false);
	return true;
}

/* Whether one that leaves now has the same address. */
static bool
ports_have_leaving(const struct ports *ports, const struct addr *addr)
{
	const struct port *port;

	TAILQ_FOREACH(port, &ports->list, link)
		if (port->state == PORT_BOUND &&
		    addr_equal(&port->key.addr, addr))
			return true;
	return false;
}

static void
ports_part_groups(struct ports *ports)
{
	const struct timeval tv = { .tv_sec = LEAVES_MS / 1000 };
	struct port *port;

	TAILQ_FOREACH(port, &ports->list, link) {
		if (port->state == PORT_BOUND)
			port->alone = false;
		if (!ports->settles || port->state != PORT_NEW ||
		    addr_port(&port->key.addr) == 0 ||
		    !ports_have_leaving(ports, &port->key.addr))
			continue;
		port->alone = true;
		event_add(&ports->settle, &tv);
	}
	ports_stand_alone(ports, true);
}

/* --- one after the other */

static void
port_free(struct port *port)
{
	free(port->listener);
	free(port->sockets);
	free(port);
}

void
ports_done(struct ports *ports, bool goes_on)
{
	struct port *port;

	if (ports->settles)
		event_del(&ports->settle);
	if (goes_on)
		bound_leave(&ports->bound);
	else
		bound_remove(&ports->bound);
	passed_done(&ports->passed);
	while ((port = TAILQ_FIRST(&ports->list)) != NULL) {
		TAILQ_REMOVE(&ports->list, port, link);
		port_free(port);
	}
}

/* Options of IP are nothing to a path.  Of a port that the kernel chooses,
 * nothing but the listener tells which of them it is. */
void
port_key_init(struct port_key *key, const struct listener_conf *l,
    const struct bind_conf *bind, const struct addr *addr)
{
	*key = (struct port_key){ .addr = *addr, .listener = "" };
	if (bind->passed != NULL)
		*key = (struct port_key){ .listener = bind->text };
	if (bind->passed != NULL || addr->sa.sa_family == AF_UNIX)
		return;
	key->dual = bind->dual;
	key->freebind = l->freebind;
	key->transparent = l->transparent;
	key->mptcp = l->mptcp;
	key->receive_buffer = l->tcp.receive_buffer;
	key->send_buffer = l->tcp.send_buffer;
	if (addr_port(addr) == 0)
		key->listener = l->name;
	if (l->interface != NULL)
		snprintf(key->interface, sizeof(key->interface), "%s",
		    l->interface);
}

static bool
port_key_equal(const struct port_key *a, const struct port_key *b)
{
	return addr_equal(&a->addr, &b->addr) && a->dual == b->dual &&
	    a->freebind == b->freebind && a->transparent == b->transparent &&
	    a->mptcp == b->mptcp && a->receive_buffer == b->receive_buffer &&
	    a->send_buffer == b->send_buffer &&
	    strcmp(a->interface, b->interface) == 0 &&
	    strcmp(a->listener, b->listener) == 0;
}

struct port *
ports_find(const struct ports *ports, const struct port_key *key)
{
	struct port *port;

	TAILQ_FOREACH(port, &ports->list, link)
		if (port->state == PORT_BOUND &&
		    port_key_equal(&port->key, key))
			return port;
	return NULL;
}

static bool
port_is_gone(const struct port *port)
{
	return port->state == PORT_LEFT && clock_ms() - port->left >= LEAVES_MS;
}

bool
ports_have_number(const struct ports *ports, uint16_t number)
{
	const struct port *port;

	TAILQ_FOREACH(port, &ports->list, link)
		if (port->state != PORT_NEW && !port_is_gone(port) &&
		    port->key.addr.sa.sa_family != AF_UNIX &&
		    addr_port(&port->key.addr) == number)
			return true;
	return false;
}

static bool
port_has_inode(const struct port *port, ino_t inode)
{
	struct stat st;

	for (size_t i = 0; i < port->nsockets; i++)
		if (fstat(port->sockets[i].fd, &st) == 0 && st.st_ino == inode)
			return true;
	return false;
}

bool
ports_have_inode(const struct ports *ports, ino_t inode)
{
	const struct port *port;

	TAILQ_FOREACH(port, &ports->list, link)
		if (port->state != PORT_LEFT && port_has_inode(port, inode))
			return true;
	return false;
}

struct port *
ports_add(struct ports *ports, const struct port_key *key,
    const struct listener_conf *conf)
{
	struct port *port = calloc(1, sizeof(*port));

	if (port == NULL)
		return NULL;
	port->state = PORT_NEW;
	port->conf = conf;
	port->key = *key;
	port->listener = strdup(key->listener);
	port->key.listener = port->listener;
	if (port->listener == NULL) {
		free(port);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&ports->list, port, link);
	return port;
}

int
port_add_socket(struct port *port, size_t worker, const struct mail *mail)
{
	const struct listen_fd *last = &mail->fds[mail->nfds - 1];
	struct port_socket *sockets = realloc(port->sockets,
	    (port->nsockets + 1) * sizeof(*sockets));

	if (sockets == NULL)
		return -ENOMEM;
	sockets[port->nsockets++] = (struct port_socket){ .worker = worker,
		.fd = last->fd, .listener = last->listener };
	port->sockets = sockets;
	return 0;
}

static int
port_order(const struct port *port, enum listen_order order,
    const struct listener_conf *conf, struct mail **mails)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < port->nsockets; i++) {
		const struct port_socket *s = &port->sockets[i];
		const struct listen_fd fd = { order, s->fd, conf,
			s->listener, false };

		error = mail_add_order(mails[s->worker], &fd);
	}
	return error;
}

int
ports_keep(struct port *port, const struct listener_conf *conf,
    struct mail **mails)
{
	port->state = PORT_KEPT;
	port->before = port->conf;
	port->conf = conf;
	return port_order(port, LISTEN_KEEP, conf, mails);
}

int
ports_leave(struct ports *ports, struct mail **mails)
{
	struct port *port;
	int error = 0;

	TAILQ_FOREACH(port, &ports->list, link)
		if (error == 0 && port->state == PORT_BOUND)
			error = port_order(port, LISTEN_LEAVE, NULL, mails);
	return error;
}

const char *
port_passed(const struct port *port)
{
	return strncmp(port->listener, PASSED, strlen(PASSED)) == 0 ?
	    port->listener + strlen(PASSED) : NULL;
}

void
ports_store(struct ports *ports)
{
	struct port *port;
	int error = 0;

	TAILQ_FOREACH(port, &ports->list, link) {
		if (error < 0 || port->stored || port->nsockets == 0 ||
		    port_passed(port) != NULL)
			continue;
		error = store_keep(port);
		port->stored = error == 0;
	}
}

/* A manager that hangs, by the first error, is not waited for again and again:
 * whom it still has, the workers shut. */
static void
port_forget(struct port *port, int *error)
{
	if (*error == 0 && port->stored)
		*error = store_forget(port);
	port->stored = false;
}

void
ports_forget(struct ports *ports)
{
	struct port *port;
	int error = 0;

	TAILQ_FOREACH(port, &ports->list, link)
		port_forget(port, &error);
}

static void
ports_drop(struct ports *ports, struct port *port, int *error)
{
	port_forget(port, error);
	if (port->key.addr.sa.sa_family == AF_UNIX)
		bound_remove_one(&ports->bound, &port->key.addr);
	TAILQ_REMOVE(&ports->list, port, link);
	port_free(port);
}

/* Its workers close it in a while.  They may have no right to keep it from those
 * who come, where we still have it. */
static void
ports_part(struct ports *ports, struct port *port, int *error)
{
	int family = port->key.addr.sa.sa_family;

	if (family != AF_INET && family != AF_INET6) {
		ports_drop(ports, port, error);
		return;
	}
	port_stand_alone(port, true); /* none takes clients to a hidden one */
	for (size_t i = 0; i < port->nsockets; i++)
		if (!sock_hide(port->sockets[i].fd))
			sock_deafen(port->sockets[i].fd);
	port_stand_alone(port, false);
	port_forget(port, error);
	free(port->sockets);
	port->sockets = NULL;
	port->nsockets = 0;
	port->state = PORT_LEFT;
	port->left = clock_ms();
}

void
ports_commit(struct ports *ports)
{
	struct port *port, *next;
	int error = 0;

	ports_part_groups(ports);
	for (port = TAILQ_FIRST(&ports->list); port != NULL; port = next) {
		next = TAILQ_NEXT(port, link);
		if (port_is_gone(port))
			ports_drop(ports, port, &error);
		else if (port->state == PORT_BOUND)
			ports_part(ports, port, &error);
		else if (port->state != PORT_LEFT)
			port->state = PORT_BOUND;
	}
}

void
ports_abort(struct ports *ports)
{
	struct port *port, *next;
	int error = 0;

	for (port = TAILQ_FIRST(&ports->list); port != NULL; port = next) {
		next = TAILQ_NEXT(port, link);
		if (port->state == PORT_NEW) {
			ports_drop(ports, port, &error);
		} else if (port->state == PORT_KEPT) {
			port->state = PORT_BOUND;
			port->conf = port->before;
		}
	}
	ports_stand_alone(ports, true);
}
