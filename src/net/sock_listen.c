/* Sockets that listen: set up, bound, tried. */
#include "sock-internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
sock_set_freebind(int fd, int family)
{
	return family == AF_INET6 ?
	    sock_set(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1) :
	    sock_set(fd, IPPROTO_IP, IP_FREEBIND, 1);
}

static int
sock_set_interface(int fd, const char *name)
{
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name,
	    (socklen_t)strlen(name)) < 0)
		return -errno;
	return 0;
}

/* All that a probe has in common with the real thing. */
static int
sock_bind_ip(int fd, const struct addr *addr, const struct sock_listen *opts)
{
	int family = addr->sa.sa_family, error = 0;

	if (family == AF_INET6)
		error = sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !opts->dual);
	if (error == 0)
		error = sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (error == 0 && opts->interface != NULL)
		error = sock_set_interface(fd, opts->interface);
	if (error == 0 && opts->freebind)
		error = sock_set_freebind(fd, family);
	if (error == 0 && opts->transparent)
		error = sock_set_transparent(fd, family);
	if (error == 0 && bind(fd, &addr->sa, addr->len) < 0)
		error = -errno;
	return error;
}

/* The path has its mode from the first moment, and no path is followed. */
int
sock_bind_unix(int fd, const struct addr *addr, mode_t mode)
{
	mode_t mask = mode != 0 ? umask(~mode & 0777) : 0;
	int error = bind(fd, &addr->sa, addr->len) < 0 ? -errno : 0;

	if (mode != 0)
		umask(mask);
	return error;
}

static int
sock_bound_unix(int fd, const struct addr *addr, const struct sock_listen *opts)
{
	sock_set_up(fd, addr, opts->tcp);
	return sock_bind_unix(fd, addr, opts->mode);
}

static int
sock_bound_ip(int fd, const struct addr *addr, const struct sock_listen *opts)
{
	int error = 0;

	sock_set_up(fd, addr, opts->tcp);
	sock_set_tcp(fd, opts->tcp);
	if (opts->fast_open > 0)
		error = sock_set(fd, IPPROTO_TCP, TCP_FASTOPEN,
		    opts->fast_open);
	if (error == 0 && opts->defer_accept > 0)
		error = sock_set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT,
		    opts->defer_accept);
	if (error == 0 && opts->reuseport)
		error = sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	return error < 0 ? error : sock_bind_ip(fd, addr, opts);
}

int
sock_bound(const struct addr *addr, const struct sock_listen *opts)
{
	bool local = addr->sa.sa_family == AF_UNIX;
	int error, fd = sock_new_of(addr->sa.sa_family,
	    opts->mptcp && !local ? IPPROTO_MPTCP : 0);

	if (fd < 0)
		return fd;
	error = local ? sock_bound_unix(fd, addr, opts) :
	    sock_bound_ip(fd, addr, opts);
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

static bool
sock_has_path(const struct addr *addr)
{
	return addr->sa.sa_family == AF_UNIX && addr->un.sun_path[0] != '\0';
}

/* Not chown(2): in a folder of somebody else it may be a link by now.  Nobody
 * comes in before listen(2). */
static int
sock_give(const struct addr *addr, const struct sock_owner *owner)
{
	if (owner == NULL || !sock_has_path(addr) ||
	    lchown(addr->un.sun_path, owner->uid, owner->gid) == 0)
		return 0;
	return -errno;
}

/* bind(2) made the path of a Unix socket, and nobody else removes it. */
int
sock_listen(const struct addr *addr, const struct sock_listen *opts)
{
	int error, fd = sock_bound(addr, opts);

	if (fd < 0)
		return fd;
	error = sock_give(addr, opts->owner);
	if (error == 0 && listen(fd, opts->backlog) < 0)
		error = -errno;
	if (error == 0)
		return fd;
	if (sock_has_path(addr))
		unlink(addr->un.sun_path);
	close(fd);
	return error;
}

int
sock_probe(const struct addr *addr, const struct sock_listen *opts)
{
	int error, fd = sock_new_of(addr->sa.sa_family, 0);

	if (fd < 0)
		return fd;
	error = sock_bind_ip(fd, addr, opts);
	close(fd);
	return error;
}

int
sock_probe_mptcp(void)
{
	int fd = sock_new_of(AF_INET, IPPROTO_MPTCP);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int
sock_probe_transparent(void)
{
	int error, fd = sock_new_of(AF_INET, 0);

	if (fd < 0)
		return fd;
	error = sock_set_transparent(fd, AF_INET);
	close(fd);
	return error;
}

static bool
sock_listens(int fd)
{
	socklen_t len = sizeof(int);
	int listens = 0;

	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	return listens;
}

/* What was on may be off now. */
static int
sock_retune_tcp(int fd, const struct sock_listen *opts)
{
	int error;

	sock_set(fd, IPPROTO_TCP, TCP_NODELAY, opts->tcp->nodelay);
	sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, opts->tcp->keepalive);
	sock_set_tcp(fd, opts->tcp);
	error = sock_set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, opts->defer_accept);
	return error < 0 ? error : sock_set(fd, IPPROTO_TCP, TCP_FASTOPEN,
	    opts->fast_open);
}

/* listen(2) of one that listens changes its backlog. */
int
sock_retune(int fd, const struct sock_listen *opts)
{
	bool local = sock_is_unix(fd);
	int error = 0;

	if (!local)
		error = sock_retune_tcp(fd, opts);
	if (error == 0 && opts->backlog != SOCK_BACKLOG_KEPT &&
	    sock_listens(fd) && listen(fd, opts->backlog) < 0)
		error = -errno;
	return error;
}
